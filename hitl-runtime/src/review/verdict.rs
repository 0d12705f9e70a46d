//! The verdicts that an operator can give in a review.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::Reason;

/// An operator's answer to a review, as it comes from outside.
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
#[non_exhaustive]
pub enum Verdict {
    /// Approves the draft, so that the node runs on it.
    Approve,
    /// Applies this JSON merge patch (RFC 7396) to the draft and approves the result.
    Edit {
        /// The patch. A key that the draft does not have is an error.
        patch: Value,
    },
    /// Rejects the draft and follows the graph's `reject` edge.
    Reject {
        /// The reason, out of a small vocabulary.
        reason: Reason,
        /// A note in the operator's words. It may be empty.
        #[serde(default)]
        note: String,
    },
    /// Asks a question and follows the graph's `ask` edge, so that a new draft is made with the question.
    Ask {
        /// The question.
        question: String,
    },
}

impl Verdict {
    /// Returns the name of the verdict: `approve`, `edit`, `reject` or `ask`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Edit { .. } => "edit",
            Self::Reject { .. } => "reject",
            Self::Ask { .. } => "ask",
        }
    }
}
