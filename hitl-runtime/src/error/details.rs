//! Structured data of an [`Error`], for programs.

use hitl_core::ThreadId;
use serde_json::{Map, Value, json};

use super::Error;

impl Error {
    /// Returns the thread that the error is about, if there is one.
    ///
    /// ```
    /// use hitl::{Error, ThreadId};
    ///
    /// let thread = ThreadId::new("ticket-A-9133")?;
    /// assert_eq!(Error::UnknownThread { thread: thread.clone() }.thread(), Some(&thread));
    /// # Ok::<(), hitl::InvalidThreadId>(())
    /// ```
    pub fn thread(&self) -> Option<&ThreadId> {
        match self {
            Self::UnknownThread { thread }
            | Self::ThreadExists { thread }
            | Self::Stale { thread, .. }
            | Self::AlreadyDecided { thread, .. }
            | Self::Expired { thread, .. }
            | Self::RoleMissing { thread, .. }
            | Self::OwnRequest { thread, .. }
            | Self::RequesterUnknown { thread, .. }
            | Self::BadOperator { thread, .. }
            | Self::Invalid { thread, .. }
            | Self::UnknownKey { thread, .. }
            | Self::InvalidPatch { thread, .. }
            | Self::Unchanged { thread, .. }
            | Self::BadVerdict { thread, .. }
            | Self::NotInDoubt { thread }
            | Self::Cancelled { thread, .. }
            | Self::Stopped { thread, .. }
            | Self::ThreadEnded { thread, .. }
            | Self::NeedsRunner { thread }
            | Self::GraphChanged { thread, .. }
            | Self::UserCodeFailed { thread, .. }
            | Self::OtherCode { thread, .. }
            | Self::Damaged { thread, .. }
            | Self::Unauthenticated { thread, .. }
            | Self::NoSuchPlace { thread, .. }
            | Self::SignatureNotCarried { thread, .. }
            | Self::EffectUnderWay { thread, .. } => Some(thread),
            Self::InvalidThreadId(_)
            | Self::InvalidInput { .. }
            | Self::NotPaused { .. }
            | Self::MayNotStop { .. }
            | Self::NoRandomness { .. }
            | Self::NotSetUp { .. }
            | Self::Store(_) => None,
        }
    }

    /// Returns the data of the error by name, for programs that read its `code`: the thread, the earlier verdict, the
    /// violations with their paths.
    ///
    /// [`Error::NoRandomness`], [`Error::NotSetUp`] and [`Error::Store`] have none: they are about this program and not
    /// about the request, and their text may name files, accounts and roles.
    ///
    /// ```
    /// use hitl::{Error, ThreadId, Violation};
    /// use serde_json::json;
    ///
    /// let error = Error::Invalid {
    ///     thread: ThreadId::new("ticket-A-9133")?,
    ///     field: "draft".into(),
    ///     violations: vec![Violation::new("amount", "greater than 10000")],
    /// };
    /// let details = json!({
    ///     "thread": "ticket-A-9133",
    ///     "field": "draft",
    ///     "violations": [{ "path": "amount", "message": "greater than 10000" }],
    /// });
    /// assert_eq!(serde_json::Value::Object(error.details()), details);
    /// # Ok::<(), hitl::InvalidThreadId>(())
    /// ```
    pub fn details(&self) -> Map<String, Value> {
        let mut details = match self.own_details() {
            Value::Object(details) => details,
            _ => Map::new(),
        };
        if let Some(thread) = self.thread() {
            details.insert("thread".to_owned(), thread.to_string().into());
        }
        details
    }

    fn own_details(&self) -> Value {
        match self {
            Self::Stale { digest, open, reopened, .. } => {
                json!({ "digest": digest, "open": open, "reopened": reopened })
            }
            Self::AlreadyDecided { node, by, verdict, at, .. } => {
                json!({ "node": node, "by": by, "verdict": verdict, "at_ms": at })
            }
            Self::Cancelled { by, reason, at, .. } => json!({ "by": by, "reason": reason, "at_ms": at }),
            Self::Stopped { scope, by, reason, at, .. } => {
                json!({ "scope": scope, "by": by, "reason": reason, "at_ms": at })
            }
            Self::ThreadEnded { how, .. } => json!({ "how": how }),
            Self::NotPaused { scope } => json!({ "scope": scope }),
            Self::MayNotStop { operator, roles } => json!({ "operator": operator, "roles": roles }),
            Self::Expired { node, deadline, .. } => json!({ "node": node, "deadline_ms": deadline }),
            Self::OwnRequest { node, operator, .. } => json!({ "node": node, "operator": operator }),
            Self::RequesterUnknown { node, .. } => json!({ "node": node }),
            Self::RoleMissing { node, role, operator, .. } => {
                json!({ "node": node, "role": role, "operator": operator })
            }
            Self::Invalid { field, violations, .. } => {
                let list = violations.iter().map(|v| json!({ "path": v.path, "message": v.message }));
                json!({ "field": field, "violations": list.collect::<Vec<_>>() })
            }
            Self::UnknownKey { field, path, near, .. } => {
                json!({ "field": field, "path": path, "near": near })
            }
            Self::BadOperator { operator, problem, .. } => {
                json!({ "operator": operator, "problem": problem })
            }
            Self::InvalidInput { problem } => json!({ "problem": problem }),
            Self::Unchanged { field, .. } | Self::InvalidPatch { field, .. } => json!({ "field": field }),
            Self::BadVerdict { node, problem, .. } => json!({ "node": node, "problem": problem }),
            Self::GraphChanged { differences, .. } => json!({ "differences": differences }),
            Self::UserCodeFailed { place, problem, .. } => json!({ "place": place, "problem": problem }),
            Self::OtherCode { until, .. } => json!({ "until_ms": until }),
            Self::Damaged { place, problem, .. } | Self::Unauthenticated { place, problem, .. } => {
                json!({ "place": place, "problem": problem })
            }
            Self::NoSuchPlace { place, head, .. } => json!({ "place": place, "head": head }),
            Self::SignatureNotCarried { place, field, .. } => json!({ "place": place, "field": field }),
            Self::EffectUnderWay { place, node, .. } => json!({ "place": place, "node": node }),
            Self::InvalidThreadId(error) => json!({ "problem": error.problem() }),
            Self::UnknownThread { .. }
            | Self::ThreadExists { .. }
            | Self::NotInDoubt { .. }
            | Self::NeedsRunner { .. }
            | Self::NoRandomness { .. }
            | Self::NotSetUp { .. }
            | Self::Store(_) => Value::Null,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use hitl_core::Place;

    fn thread() -> ThreadId {
        ThreadId::new("t").unwrap()
    }

    #[test]
    fn details_contain_the_path_and_the_problem() {
        let problem = || "its hash differs".to_owned();
        for (error, details) in [
            (Error::InvalidInput { problem: problem() }, json!({ "problem": problem() })),
            (ThreadId::new("").unwrap_err().into(), json!({ "problem": "is empty" })),
            (
                Error::BadVerdict { thread: thread(), node: "n".into(), problem: problem() },
                json!({ "thread": "t", "node": "n", "problem": problem() }),
            ),
            (
                Error::Damaged { thread: thread(), place: Place::new(3), problem: problem() },
                json!({ "thread": "t", "place": 3, "problem": problem() }),
            ),
            (
                Error::Unauthenticated { thread: thread(), place: Place::new(3), problem: problem() },
                json!({ "thread": "t", "place": 3, "problem": problem() }),
            ),
            (
                Error::EffectUnderWay { thread: thread(), place: Place::new(3), node: "n".into() },
                json!({ "thread": "t", "place": 3, "node": "n" }),
            ),
        ] {
            assert_eq!(Value::Object(error.details()), details, "{error}");
        }
    }

    #[test]
    fn an_error_about_the_program_has_no_details() {
        let problem = || "arn:aws:sts::111122223333:assumed-role/refunds".to_owned();
        for error in [Error::NoRandomness { problem: problem() }, Error::NotSetUp { problem: problem() }] {
            assert_eq!(error.details(), Map::new(), "{error}");
        }
    }
}
