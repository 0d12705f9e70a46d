//! The results of `reject` and `ask` verdicts, as nodes receive them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The reason for which a draft was rejected.
///
/// ```
/// use hitl::Reason;
///
/// assert_eq!("wrong_tool".parse(), Ok(Reason::WrongTool));
/// assert!("wrong tool!".parse::<Reason>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The plan itself is wrong.
    BadPlan,
    /// The goal is right, but the means are wrong.
    WrongTool,
    /// The draft violates a policy of the organization.
    PolicyViolation,
    /// The draft names something that does not exist.
    HallucinatedEntity,
    /// The review expired without a decision.
    Expired,
    /// Any other reason; the note states it.
    Other,
}

impl Reason {
    /// The reasons that an operator may give: all except [`Expired`](Self::Expired).
    pub const GIVEN: &[Self] =
        &[Self::BadPlan, Self::WrongTool, Self::PolicyViolation, Self::HallucinatedEntity, Self::Other];

    /// Returns the name of the reason in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadPlan => "bad_plan",
            Self::WrongTool => "wrong_tool",
            Self::PolicyViolation => "policy_violation",
            Self::HallucinatedEntity => "hallucinated_entity",
            Self::Expired => "expired",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error for a text that is not a reason an operator may give.
///
/// ```
/// use hitl::Reason;
///
/// let error = "wrong tool".parse::<Reason>().unwrap_err();
/// assert!(error.to_string().starts_with("`wrong tool` is not a reason to reject"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a reason to reject; use one of bad_plan, wrong_tool, policy_violation, hallucinated_entity, other"
)]
pub struct UnknownReason(String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(word: &str) -> Result<Self, UnknownReason> {
        Self::GIVEN
            .iter()
            .copied()
            .find(|reason| reason.as_str() == word)
            .ok_or_else(|| UnknownReason(word.to_owned()))
    }
}

/// The rejection that a node receives when a `reject` verdict or the expiry of a review leads to it.
///
/// ```
/// # use hitl::Rejection;
/// fn letter(rejection: &Rejection) -> String {
///     format!("{} said no ({}): {}", rejection.operator, rejection.reason, rejection.note)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rejection {
    /// The reason, one of a fixed set.
    pub reason: Reason,
    /// The operator's explanation. It may be empty.
    pub note: String,
    /// The operator who rejected the draft; `hitl` for the expiry of a review.
    pub operator: String,
    /// The draft that was rejected, as JSON.
    pub draft: Value,
}

impl Rejection {
    /// Creates a rejection, for a test of the node that takes it.
    ///
    /// ```
    /// use hitl::{Reason, Rejection};
    ///
    /// let rejection = Rejection::new("mara", Reason::PolicyViolation, "bought a year ago", serde_json::json!({}));
    /// assert_eq!(rejection.reason.as_str(), "policy_violation");
    /// ```
    pub fn new(
        operator: impl Into<String>,
        reason: Reason,
        note: impl Into<String>,
        draft: impl Into<Value>,
    ) -> Self {
        Self { reason, note: note.into(), operator: operator.into(), draft: draft.into() }
    }
}

/// The question that a node receives when an `ask` verdict leads to it.
///
/// ```
/// # use hitl::Question;
/// fn prompt(question: Option<&Question>) -> String {
///     question.map(|q| format!("Before you draft again, {} asks: {}", q.operator, q.text)).unwrap_or_default()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Question {
    /// The text of the question.
    pub text: String,
    /// The operator who asked.
    pub operator: String,
    /// The draft that the question is about, as JSON.
    pub draft: Value,
}

impl Question {
    /// Creates a question, for a test of the node that takes it.
    ///
    /// ```
    /// let question = hitl::Question::new("mara", "Is there a photo?", serde_json::json!({}));
    /// assert_eq!(question.text, "Is there a photo?");
    /// ```
    pub fn new(operator: impl Into<String>, text: impl Into<String>, draft: impl Into<Value>) -> Self {
        Self { text: text.into(), operator: operator.into(), draft: draft.into() }
    }
}
