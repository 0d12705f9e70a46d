//! The risk of an action that a person reviews.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The risk of an action, from the lowest to the highest.
///
/// ```
/// use hitl::RiskLevel;
///
/// assert!(RiskLevel::Low < RiskLevel::Medium && RiskLevel::Medium < RiskLevel::High);
/// assert_eq!(serde_json::to_string(&RiskLevel::High)?, r#""high""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RiskLevel {
    /// A mistake costs little.
    Low,
    /// A mistake costs something.
    Medium,
    /// A mistake costs much: a person always signs.
    High,
}

impl RiskLevel {
    /// Returns the word for it: `low`, `medium` or `high`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl fmt::Display for RiskLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
