//! Operators: the people who decide reviews, their roles, and the rules for their names.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::{journal::Evidence, unicode};

/// The maximum length of a name, in bytes.
const MAX_BYTES: usize = 200;

/// The names that are reserved for decisions of the runtime itself.
const RESERVED: [&str; 1] = ["hitl"];

/// A person, or a program for which a person is responsible, with the roles that it has.
///
/// The caller that creates an `Operator` vouches for the name and the roles, or declares with [`Operator::claimed`]
/// that they are not verified.
///
/// ```
/// use hitl::Operator;
///
/// let mara = Operator::new("mara").role("refund-approver").role("clerk");
/// assert_eq!(mara.name(), "mara");
/// assert!(mara.has_role("refund-approver") && !mara.has_role("auditor"));
/// assert_eq!(mara.roles().collect::<Vec<_>>(), ["clerk", "refund-approver"]);
/// ```
///
/// A verdict fails with [`Error::BadOperator`](crate::Error::BadOperator) if the operator's name could be mistaken for
/// another one: if it is empty, has invisible characters or white space at its ends, is not in Unicode's composed form
/// (NFC), has a word that mixes scripts, is longer than 200 bytes, or is `hitl`, which signs the decisions of the
/// runtime itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    name: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    roles: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unverified: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<Box<Evidence>>,
}

impl Operator {
    /// Creates an operator without roles.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), roles: BTreeSet::new(), unverified: false, evidence: None }
    }

    /// Creates an operator whose name and roles are not verified. The journal records this with every verdict.
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

    /// Adds a role.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.insert(role.into());
        self
    }

    /// Adds the evidence of the operator's identity, which the journal keeps with their verdicts.
    ///
    /// ```
    /// use hitl::{Operator, journal::Evidence};
    ///
    /// let mara = Operator::new("mara").with_evidence(Evidence::through("slack"));
    /// assert!(mara.evidence().is_some());
    /// ```
    #[must_use]
    pub fn with_evidence(mut self, evidence: Evidence) -> Self {
        self.evidence = Some(Box::new(evidence));
        self
    }

    /// Returns the evidence of the operator's identity.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_deref()
    }

    /// Returns the name, as the journal keeps it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the reason that the name cannot sign, if there is one: it could be mistaken for another name in a
    /// journal, or it is reserved for the runtime. The check is made when a verdict is given, so that one rule applies
    /// however the operator was created.
    pub(crate) fn name_problem(&self) -> Option<&'static str> {
        let name = self.name.as_str();
        if name.trim().is_empty() {
            Some("is empty")
        } else if name.len() > MAX_BYTES {
            Some("is longer than 200 bytes")
        } else if RESERVED.iter().any(|reserved| unicode::looks_like(name, reserved)) {
            Some("is reserved for decisions of the runtime itself")
        } else {
            unicode::name_problem(name)
        }
    }

    /// Returns whether the name and the roles are unverified.
    pub fn is_unverified(&self) -> bool {
        self.unverified
    }

    /// Returns whether the operator has a role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.contains(role)
    }

    /// Returns the roles, in alphabetical order.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(String::as_str)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alike_names_cannot_sign() {
        for right in ["mara", "Mara O'Neil", "mara@bank.example", "José", "李雷", "Мария Curie", "hilda"]
        {
            assert_eq!(Operator::new(right).name_problem(), None, "{right}");
        }
        let long = "x".repeat(201);
        for (wrong, why) in [
            ("", "empty"),
            ("\u{a0} ", "empty"),
            (" mara", "white space"),
            ("mara\u{2003}", "white space"),
            ("ma\nra", "control"),
            ("ma\u{200b}ra", "invisible"),
            ("mara\u{200d}", "invisible"),
            ("\u{202e}aram", "invisible"),
            ("mara\u{e0101}", "invisible"),
            ("Jose\u{301}", "NFC"),
            ("m\u{430}ra", "scripts"),
            ("hitl", "reserved"),
            ("HITL", "reserved"),
            ("h\u{456}tl", "reserved"),
            (long.as_str(), "200 bytes"),
        ] {
            let problem = Operator::new(wrong).name_problem().unwrap_or_default();
            assert!(problem.contains(why), "{wrong:?}: {problem}");
            assert_eq!(Operator::claimed(wrong).role("r").name_problem(), Some(problem), "{wrong:?}");
        }
    }
}
