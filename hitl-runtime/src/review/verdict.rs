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

    /// Adds a note in the operator's words, which the journal keeps with the verdict. A rejection already has one: it is
    /// replaced.
    ///
    /// ```
    /// use hitl::Verdict;
    ///
    /// let noted = Verdict::Approve.with_note("the customer called twice");
    /// assert_eq!((noted.verdict().name(), noted.note()), ("approve", "the customer called twice"));
    /// ```
    pub fn with_note(mut self, note: impl Into<String>) -> NotedVerdict {
        let note = note.into();
        match &mut self {
            Self::Reject { note: own, .. } => {
                *own = note;
                self.into()
            }
            _ => NotedVerdict { verdict: self, note },
        }
    }
}

/// A verdict with a note in the operator's words: [`Verdict::with_note`]. What takes one takes a plain [`Verdict`], too.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::journal::Event;
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let digest = waiting(&agent, "A-9133").await?.digest();
/// let verdict = Verdict::Approve.with_note("the customer called twice");
/// let _ = agent.decide("ticket-A-9133", digest, &mara(), verdict).await?;
///
/// let history = agent.history("ticket-A-9133", 0, 100).await?;
/// let of_verdict = |event: &Event| match event {
///     Event::Decided { note, .. } => Some(note.clone()),
///     _ => None,
/// };
/// let notes: Vec<String> = history.iter().filter_map(|entry| of_verdict(&entry.event)).collect();
/// assert_eq!(notes, ["the customer called twice"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NotedVerdict {
    verdict: Verdict,
    note: String,
}

impl NotedVerdict {
    /// Returns the verdict.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Returns the note; empty without one.
    pub fn note(&self) -> &str {
        match &self.verdict {
            Verdict::Reject { note, .. } => note,
            _ => &self.note,
        }
    }

    /// Returns the verdict, and the note that is not a part of it.
    pub(crate) fn into_parts(self) -> (Verdict, String) {
        (self.verdict, self.note)
    }
}

impl From<Verdict> for NotedVerdict {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, note: String::new() }
    }
}
