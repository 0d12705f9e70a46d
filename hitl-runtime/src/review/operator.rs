//! Who decides.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::{journal::Evidence, unicode};

/// The longest name that can sign, in bytes.
const MAX_BYTES: usize = 200;

/// The names that the runtime signs with.
const RESERVED: [&str; 1] = ["hitl"];

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
///
/// A verdict is refused ([`Error::BadOperator`](crate::Error::BadOperator)) from a name that could pass for another one:
/// one with invisible characters or blanks at its ends, not in Unicode's composed form (NFC), with a word that mixes
/// scripts, longer than 200 bytes, or `hitl`, which signs what the runtime itself decides.
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
    /// An operator with no role.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), roles: BTreeSet::new(), unverified: false, evidence: None }
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

    /// The same operator, with the evidence of who they are, which the journal keeps beside their verdicts.
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

    /// The evidence of who they are.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_deref()
    }

    /// The name that the journal keeps.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why the name cannot sign, if it cannot: it would not be told from another one in a journal, or it is the runtime's
    /// own. Asked where a verdict is given, so that one rule holds however an operator was made.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let name = self.name.as_str();
        if name.trim().is_empty() {
            Some("is empty")
        } else if name.len() > MAX_BYTES {
            Some("is longer than 200 bytes")
        } else if RESERVED.iter().any(|reserved| unicode::looks_like(name, reserved)) {
            Some("is reserved: what the runtime itself decides is signed so")
        } else {
            unicode::fault(name)
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_pass_for_others_cannot_sign() {
        for right in ["mara", "Mara O'Neil", "mara@bank.example", "José", "李雷", "Мария Curie", "hilda"]
        {
            assert_eq!(Operator::new(right).fault(), None, "{right}");
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
            let fault = Operator::new(wrong).fault().unwrap_or_default();
            assert!(fault.contains(why), "{wrong:?}: {fault}");
            assert_eq!(Operator::claimed(wrong).role("r").fault(), Some(fault), "{wrong:?}");
        }
    }
}
