//! Structured data of an [`Error`], for programs.

use serde_json::{Map, Value, json};

use super::Error;
use crate::ThreadId;

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
            | Self::BadOperator { thread, .. }
            | Self::Invalid { thread, .. }
            | Self::UnknownKey { thread, .. }
            | Self::Unchanged { thread, .. }
            | Self::BadVerdict { thread, .. }
            | Self::NotInDoubt { thread }
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
            | Self::NoRandomness { .. }
            | Self::NotSetUp { .. }
            | Self::Store(_) => None,
        }
    }

    /// Returns the data of the error by name, for programs that read its `code`: the thread, the earlier verdict, the
    /// violations with their paths.
    ///
    /// ```
    /// use hitl::{Error, ThreadId, Violation};
    /// use serde_json::json;
    ///
    /// let error = Error::Invalid {
    ///     thread: ThreadId::new("ticket-A-9133")?,
    ///     field: "draft".into(),
    ///     violations: vec![Violation { path: "amount".into(), message: "greater than 10000".into() }],
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
            Self::AlreadyDecided { node, by, verdict, at_ms, .. } => {
                json!({ "node": node, "by": by, "verdict": verdict, "at_ms": at_ms })
            }
            Self::Expired { node, deadline_ms, .. } => json!({ "node": node, "deadline_ms": deadline_ms }),
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
            Self::Unchanged { field, .. } => json!({ "field": field }),
            Self::BadVerdict { node, .. } | Self::EffectUnderWay { node, .. } => json!({ "node": node }),
            Self::GraphChanged { differences, .. } => json!({ "differences": differences }),
            Self::UserCodeFailed { place, problem, .. } => json!({ "place": place, "problem": problem }),
            Self::OtherCode { until_ms, .. } => json!({ "until_ms": until_ms }),
            Self::Damaged { place, .. } => json!({ "place": place }),
            Self::NoSuchPlace { place, head, .. } => json!({ "place": place, "head": head }),
            Self::SignatureNotCarried { place, field, .. } => json!({ "place": place, "field": field }),
            _ => Value::Null,
        }
    }
}
