//! Who decides.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

/// A person, or a program that a person answers for, with the roles that it holds.
///
/// Whoever makes an `Operator` vouches for the name and the roles, or says with [`Operator::claimed`] that nobody does.
///
/// ```
/// use hitl::Operator;
///
/// let mara = Operator::new("mara").role("refund-approver").role("clerk");
/// assert_eq!(mara.name(), "mara");
/// assert!(mara.holds("refund-approver") && !mara.holds("auditor"));
/// assert_eq!(mara.roles().collect::<Vec<_>>(), ["clerk", "refund-approver"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    name: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    roles: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unverified: bool,
}

impl Operator {
    /// An operator with no role.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), roles: BTreeSet::new(), unverified: false }
    }

    /// An operator whose name, and whose roles, nobody has verified. The journal says so beside every verdict.
    ///
    /// ```
    /// use hitl::Operator;
    ///
    /// let typed_in = Operator::claimed("mara").role("refund-approver");
    /// assert!(typed_in.is_unverified() && !Operator::new("mara").is_unverified());
    /// ```
    pub fn claimed(name: impl Into<String>) -> Self {
        Self { unverified: true, ..Self::new(name) }
    }

    /// The same operator, holding one role more.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.insert(role.into());
        self
    }

    /// The name that the journal keeps.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether nobody has verified who this is.
    pub fn is_unverified(&self) -> bool {
        self.unverified
    }

    /// Whether the operator holds a role.
    pub fn holds(&self, role: &str) -> bool {
        self.roles.contains(role)
    }

    /// The roles, in alphabetical order.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(String::as_str)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
