//! What a verdict brings back into the graph.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why a draft was rejected.
///
/// ```
/// use hitl::Reason;
///
/// assert_eq!("wrong_tool".parse(), Ok(Reason::WrongTool));
/// assert!("wrong tool!".parse::<Reason>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The plan itself is wrong.
    BadPlan,
    /// The right end by the wrong means.
    WrongTool,
    /// It breaks a rule of the house.
    PolicyViolation,
    /// It names something that does not exist.
    HallucinatedEntity,
    /// Nobody decided in time.
    Expired,
    /// None of these: the note says it.
    Other,
}

impl Reason {
    /// Those that an operator may give.
    pub const GIVEN: [Self; 5] =
        [Self::BadPlan, Self::WrongTool, Self::PolicyViolation, Self::HallucinatedEntity, Self::Other];

    /// The word on the wire.
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

/// The word is no reason.
///
/// ```
/// use hitl::Reason;
///
/// let error = "wrong tool".parse::<Reason>().unwrap_err();
/// assert!(error.to_string().starts_with("`wrong tool` is no reason to reject"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no reason to reject; give one of bad_plan, wrong_tool, policy_violation, hallucinated_entity, other"
)]
pub struct UnknownReason(String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(word: &str) -> Result<Self, UnknownReason> {
        Self::GIVEN
            .into_iter()
            .find(|reason| reason.as_str() == word)
            .ok_or_else(|| UnknownReason(word.to_owned()))
    }
}

/// What a `reject` brings to the node it leads to.
///
/// ```
/// # use hitl::Rejection;
/// fn letter(rejection: &Rejection) -> String {
///     format!("{} said no ({}): {}", rejection.operator, rejection.reason, rejection.note)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rejection {
    /// Why, out of a small vocabulary.
    pub reason: Reason,
    /// Why, in the operator's words. May be empty.
    pub note: String,
    /// Who rejected.
    pub operator: String,
    /// The draft that was rejected, as JSON.
    pub draft: Value,
}

/// What an `ask` brings to the node it leads to.
///
/// ```
/// # use hitl::Question;
/// fn prompt(question: Option<&Question>) -> String {
///     question.map(|q| format!("Before you draft again, {} asks: {}", q.operator, q.text)).unwrap_or_default()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What was asked.
    pub text: String,
    /// Who asked.
    pub operator: String,
    /// The draft that raised it, as JSON.
    pub draft: Value,
}
