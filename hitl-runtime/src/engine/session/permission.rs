//! Permission of operators: who may act on a thread.

use crate::{
    Error, Operator, ThreadId,
    graph::GraphSpec,
    journal::{Fold, Person, Requesters},
};

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

/// Checks that an operator is certainly another person than those who have asked for what the thread does.
///
/// # Errors
/// [`Error::OwnRequest`] if they may be one of them; [`Error::RequesterUnknown`] if not all of them are known.
pub(in crate::engine) fn may_sign(fold: &Fold, node: &str, operator: &Operator) -> Result<(), Error> {
    let (thread, node) = (fold.thread.clone(), node.to_owned());
    match fold.requesters.may_include(&Person::from(operator)) {
        Some(false) => Ok(()),
        Some(true) => Err(Error::OwnRequest { thread, node, operator: operator.name().to_owned() }),
        None => Err(Error::RequesterUnknown { thread, node }),
    }
}

/// Checks that a new thread has a requester, if a review of the graph takes no signature of theirs: without one, no
/// person could sign it.
///
/// # Errors
/// [`Error::RequesterUnknown`].
pub(in crate::engine) fn has_requester(
    graph: &'static GraphSpec,
    thread: &ThreadId,
    requesters: &Requesters,
) -> Result<(), Error> {
    let excluding = graph.nodes.iter().find(|node| node.excludes_requester());
    match excluding.filter(|_| !requesters.are_known()) {
        Some(node) => Err(Error::RequesterUnknown { thread: thread.clone(), node: node.name.to_owned() }),
        None => Ok(()),
    }
}
