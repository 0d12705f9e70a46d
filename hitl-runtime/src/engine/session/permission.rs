//! Permission of operators: who may act on a thread.

use crate::{Error, Operator, ThreadId};

/// Checks that the operator has a valid name and the required role.
pub(in crate::engine) fn may_decide(
    thread: &ThreadId,
    node: &str,
    role: Option<&str>,
    operator: &Operator,
) -> Result<(), Error> {
    if let Some(problem) = operator.name_problem() {
        return Err(Error::BadOperator {
            thread: thread.clone(),
            operator: operator.name().to_owned(),
            problem: problem.to_owned(),
        });
    }
    match role.filter(|role| !operator.has_role(role)) {
        Some(role) => Err(Error::RoleMissing {
            thread: thread.clone(),
            node: node.to_owned(),
            role: role.to_owned(),
            operator: operator.name().to_owned(),
        }),
        None => Ok(()),
    }
}
