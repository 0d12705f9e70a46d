//! Signatures: who signed the value of a field, and for which nodes; and the conditions of rules.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Digest, Place};
use crate::graph::{ReviewRisk, RiskLevel};

/// The condition of a review (`#[interrupt_before(when = …)]`), and its value.
///
/// ```
/// use hitl::journal::Condition;
///
/// let condition: Condition = serde_json::from_str(r#"{"expr": "draft.amount > 100.0", "value": true}"#)?;
/// assert_eq!(condition.to_string(), "`draft.amount > 100.0` is true");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Condition {
    /// The expression as the program has it.
    pub expr: String,
    /// The value. If it is `true`, a person is asked.
    pub value: bool,
}

impl Condition {
    /// Creates the condition with this text.
    pub(crate) fn new(expr: &str, value: bool) -> Self {
        Self { expr: expr.to_owned(), value }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}", self.expr, self.value)
    }
}

/// The signer of a value: a person, or a rule of the program.
///
/// Its text is the name of the operator, or names the rule:
///
/// ```
/// use hitl::journal::Signer;
///
/// let rule: Signer = serde_json::from_str(r#"{"rule": "draft.amount > 100.0"}"#)?;
/// assert_eq!(rule.to_string(), "the rule `when = draft.amount > 100.0`");
/// assert_eq!(rule.operator(), None);
/// let person: Signer = serde_json::from_str(r#"{"operator": "mara"}"#)?;
/// assert_eq!((person.to_string().as_str(), person.operator()), ("mara", Some("mara")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signer {
    /// An operator, by name.
    Operator(String),
    /// The condition of the review before the node: it was false, so no person was asked.
    Rule(String),
}

impl Signer {
    /// Returns the name of the operator; `None` if a rule signed.
    pub fn operator(&self) -> Option<&str> {
        match self {
            Self::Operator(name) => Some(name),
            Self::Rule(_) => None,
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(name) => f.write_str(name),
            Self::Rule(condition) => write!(f, "the rule `when = {condition}`"),
        }
    }
}

/// A signature on a field's value.
///
/// ```
/// use hitl::{Digest, journal::Signature};
///
/// let signature: Signature = serde_json::from_value(serde_json::json!({
///     "node": "pay",
///     "place": 2,
///     "operator": "mara",
///     "digest": Digest::of(b""),
/// }))?;
/// println!("{} signed before {}: the review of place {}", signature.by, signature.node, signature.place);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Signature {
    /// The node before which the value was signed.
    pub node: String,
    /// The place at which the review was opened, or at which the rule signed.
    pub place: Place,
    /// The signer.
    #[serde(flatten)]
    pub by: Signer,
    /// The role that the review required. Also `None` in snapshots of an older version of hitl, which did not record
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The digest of the signed review.
    pub digest: Digest,
    /// The later effects that may run on the signature in addition to the node, each at most once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<String>,
    /// The fields that were shown beside the draft and signed with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shows: Vec<String>,
    /// The effects that have begun on the signature, each with the place of the entry that led to it. An effect runs on
    /// a signature in one activation only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub spent: BTreeMap<String, Place>,
    /// The risk that the review showed to the person. `None` if it showed none, and for a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<RiskLevel>,
    /// `true` if the review said that the action cannot be undone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub irreversible: bool,
    /// `true` if the signer may be the person who started the thread. `None` if the journal does not say who did, if a
    /// rule signed, and in snapshots of an older version of hitl.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_requester: Option<bool>,
}

impl Signature {
    /// Returns whether both signatures are from the same verdict, regardless of the effects that they have been spent
    /// on.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.place, self.digest) == (other.place, other.digest)
    }

    /// Returns the risk that the review showed.
    pub(crate) fn shown_risk(&self) -> ReviewRisk {
        ReviewRisk { level: self.risk, irreversible: self.irreversible }
    }

    /// Returns whether a rule gave it, so that no person was asked.
    pub(crate) fn is_of_rule(&self) -> bool {
        matches!(self.by, Signer::Rule(_))
    }
}
