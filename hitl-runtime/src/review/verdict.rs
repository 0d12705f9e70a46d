//! What an operator may answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::Reason;

/// An answer to a review, as it comes from outside.
///
/// ```
/// use hitl::{Reason, Verdict};
///
/// let verdict = Verdict::Reject { reason: Reason::WrongTool, note: "the customer wants a replacement".into() };
/// assert_eq!(verdict.name(), "reject");
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
