//! Violations of a type or of its invariants.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A violation of the type or of an invariant by a field of a draft.
///
/// ```
/// let violation = hitl::Violation::new("amount", "greater than 10000");
/// assert_eq!(violation.to_string(), "amount: greater than 10000");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Violation {
    /// The path to the field in the draft's JSON, as in `window.At.hour`; empty for the draft as a whole.
    pub path: String,
    /// The description of the violation.
    pub message: String,
}

impl Violation {
    /// Creates a violation.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}
