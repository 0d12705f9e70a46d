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

/// The risk of what is signed in a review, and whether it cannot be undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReviewRisk {
    pub(crate) level: Option<RiskLevel>,
    pub(crate) irreversible: bool,
}

impl ReviewRisk {
    /// Returns whether a person who was shown another risk has been shown this one. No risk is as a low one.
    pub(crate) fn is_within(self, shown: Self) -> bool {
        let level = |risk: Self| risk.level.unwrap_or(RiskLevel::Low);
        level(self) <= level(shown) && self.irreversible <= shown.irreversible
    }

    /// Returns the higher one of each.
    pub(crate) fn max(self, other: Self) -> Self {
        Self { level: self.level.max(other.level), irreversible: self.irreversible || other.irreversible }
    }

    /// Returns whether a person always signs.
    pub(crate) fn is_high(self) -> bool {
        self.level == Some(RiskLevel::High)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_risk_is_not_within_a_lower_one() {
        let risk = |level, irreversible| ReviewRisk { level, irreversible };
        let (low, high) = (risk(Some(RiskLevel::Low), false), risk(Some(RiskLevel::High), false));
        assert!(low.is_within(ReviewRisk::default()) && ReviewRisk::default().is_within(low));
        assert!(low.is_within(high) && !high.is_within(low) && !high.is_within(ReviewRisk::default()));
        assert!(!risk(None, true).is_within(high) && high.is_within(risk(Some(RiskLevel::High), true)));
        assert_eq!(risk(None, true).max(high), risk(Some(RiskLevel::High), true));
    }
}
