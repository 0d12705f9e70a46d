//! The evidence that the journal keeps of an operator's identity.

use serde::{Deserialize, Serialize};

use super::{Digest, Timestamp};
use crate::Operator;

/// The evidence of an operator's identity, and the channel of their decision. The journal keeps it in the entry of the
/// verdict.
///
/// ```
/// use hitl::{Digest, Operator, journal::Evidence};
///
/// let evidence = Evidence::through("http")
///     .with_issuer(Some("https://login.example".into()))
///     .with_subject(Some("b1946ac9".into()))
///     .with_key(Some("2026-01".into()))
///     .with_token(Some(Digest::of(b"the token as it came")));
/// let mara = Operator::new("mara").role("refund-approver").with_evidence(evidence);
/// assert_eq!(mara.evidence().and_then(|evidence| evidence.channel.as_deref()), Some("http"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evidence {
    /// The issuer of the operator's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The subject of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The id of the key that signed the token.
    #[serde(rename = "kid", default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The SHA-256 of the token. The token itself is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Digest>,
    /// The role that the verdict required and that the operator holds. The agent sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The further roles, if the act required several. The agent sets them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_roles: Vec<String>,
    /// The channel of the verdict: `api` for a call of the library, `cli`, `http`, `ws`, or a name of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// `true` if the operator was shown what the verdict would sign before they gave it, as far as the channel knows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub previewed: bool,
    /// The time at which the channel first showed the draft to the operator, as far as it knows; `None` otherwise. It
    /// is the channel's own statement, which nothing checks, and says that the draft was on a screen, and not that it
    /// was read. Only the metrics use it.
    #[serde(rename = "shown_ms", default, skip_serializing_if = "Option::is_none")]
    pub shown_at: Option<Timestamp>,
}

impl Evidence {
    /// The default channel, of a call that names none.
    const LIBRARY: &str = "api";

    /// Returns evidence with a channel and nothing else.
    pub fn through(channel: impl Into<String>) -> Self {
        Self { channel: Some(channel.into()), ..Self::default() }
    }

    /// Sets the issuer of the operator's token.
    #[must_use]
    pub fn with_issuer(self, issuer: Option<String>) -> Self {
        Self { issuer, ..self }
    }

    /// Sets the subject of the token.
    #[must_use]
    pub fn with_subject(self, subject: Option<String>) -> Self {
        Self { subject, ..self }
    }

    /// Sets the id of the key that signed the token.
    #[must_use]
    pub fn with_key(self, key: Option<String>) -> Self {
        Self { key, ..self }
    }

    /// Sets the SHA-256 of the token.
    #[must_use]
    pub fn with_token(self, token: Option<Digest>) -> Self {
        Self { token, ..self }
    }

    /// Sets the channel of the verdict.
    #[must_use]
    pub fn with_channel(self, channel: Option<String>) -> Self {
        Self { channel, ..self }
    }

    /// Sets whether the operator was shown what the verdict would sign.
    #[must_use]
    pub fn with_previewed(self, previewed: bool) -> Self {
        Self { previewed, ..self }
    }

    /// Sets the time at which the channel first showed the draft to the operator.
    #[must_use]
    pub fn with_shown_at(self, shown_at: Option<Timestamp>) -> Self {
        Self { shown_at, ..self }
    }

    /// Returns the evidence for the journal entry of an operator's act that required at most one role.
    pub(crate) fn of(operator: &Operator, role: Option<&str>) -> Box<Self> {
        let given = operator.evidence().cloned().unwrap_or_default();
        let channel = given.channel.clone().or_else(|| Some(Self::LIBRARY.to_owned()));
        Box::new(Self { role: role.map(str::to_owned), further_roles: Vec::new(), channel, ..given })
    }

    /// Returns the evidence for the journal entry of an operator's act that required several roles.
    pub(crate) fn of_roles(operator: &Operator, roles: &[String]) -> Box<Self> {
        let (first, further) = roles.split_first().unzip();
        let evidence = Self::of(operator, first.map(String::as_str));
        Box::new(Self { further_roles: further.unwrap_or_default().to_vec(), ..*evidence })
    }
}

/// The person who started or resumed a thread.
///
/// ```
/// use hitl::journal::Requester;
///
/// let requester: Requester = serde_json::from_str(r#"{"operator": "mara"}"#)?;
/// assert!(!requester.unverified && requester.evidence.is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Requester {
    /// The operator's name.
    pub operator: String,
    /// `true` if the operator's identity was not verified.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
    /// The evidence of the operator's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Box<Evidence>>,
}

impl Requester {
    /// Returns the operator who owns the thread; `None` if their identity was not verified.
    #[doc(hidden)]
    pub fn owner(&self) -> Option<&str> {
        (!self.unverified).then_some(self.operator.as_str())
    }
}

impl From<&Operator> for Requester {
    fn from(operator: &Operator) -> Self {
        Self {
            operator: operator.name().to_owned(),
            unverified: operator.is_unverified(),
            evidence: Some(Evidence::of(operator, None)),
        }
    }
}
