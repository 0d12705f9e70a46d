//! What an operator may answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::Reason;

/// An answer to a review, as it comes from outside.
///
/// ```
/// use hitl::{Reason, Verdict};
/// use serde_json::json;
///
/// let note = "send a new one".to_owned();
/// for (verdict, wire) in [
///     (Verdict::Approve, json!("approve")),
///     (Verdict::Edit { patch: json!({ "amount": 99 }) }, json!({ "edit": { "patch": { "amount": 99 } } })),
///     (
///         Verdict::Reject { reason: Reason::WrongTool, note },
///         json!({ "reject": { "reason": "wrong_tool", "note": "send a new one" } }),
///     ),
///     (Verdict::Ask { question: "Why?".into() }, json!({ "ask": { "question": "Why?" } })),
/// ] {
///     println!("{}", verdict.name());
///     assert_eq!(serde_json::to_value(&verdict)?, wire);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Do what the draft says.
    Approve,
    /// Do what the draft says once this JSON merge patch (RFC 7396) is applied to it.
    Edit {
        /// The patch. A key that the draft does not have is an error.
        patch: Value,
    },
    /// Do not.
    Reject {
        /// Why, out of a small vocabulary.
        reason: Reason,
        /// Why, in the operator's words. May be empty.
        #[serde(default)]
        note: String,
    },
    /// Answer this first, and draft again.
    Ask {
        /// The question.
        question: String,
    },
}

impl Verdict {
    /// The word for it: `approve`, `edit`, `reject` or `ask`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Edit { .. } => "edit",
            Self::Reject { .. } => "reject",
            Self::Ask { .. } => "ask",
        }
    }
}
