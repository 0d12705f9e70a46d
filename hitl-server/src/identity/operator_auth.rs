//! Authentication of callers and operators.

use std::{fmt, sync::Arc};

use axum::http::{HeaderMap, header};
use hitl_runtime::{Operator, Timestamp, journal::Evidence, plumbing::RequestHeaders};

use super::{
    access::{Right, Rules},
    token::{Subject, TokenVerifier},
};
use crate::api::ApiError;

/// The source of the operators whose verdicts are accepted.
///
/// AgentCore forwards a request once its authorizer has verified the caller's token, and passes the token on if
/// `Authorization` is in the runtime's request header allowlist. It is verified again here, because a container can
/// also be reached without the service.
///
/// ```
/// use hitl::agentcore::OperatorAuth;
///
/// // On your own machine, where the caller may claim any name.
/// let desk = OperatorAuth::claimed();
/// # let _ = desk;
/// ```
#[derive(Clone, Default)]
pub struct OperatorAuth {
    tokens: Option<Arc<TokenVerifier>>,
    claimed: bool,
    rules: Rules,
}

impl OperatorAuth {
    /// Accepts only the subjects of verified tokens. Every request except the ping needs a token.
    ///
    /// Any subject may start threads, and a thread belongs to the subject who started it. Besides the owner, holders of
    /// the role of a review that the thread waits for, or has waited for, may read it, decide its reviews and resume
    /// it; to others the thread does not exist. [`role_for`](Self::role_for) and [`open`](Self::open) change these
    /// rules.
    pub fn verified(tokens: TokenVerifier) -> Self {
        Self { tokens: Some(Arc::new(tokens)), claimed: false, rules: Rules::default() }
    }

    /// Grants a right to a role. For [`Right::Start`], only the holders of the roles granted it may start threads. For
    /// the other rights, the role's holders have the right to every thread, as an auditor does.
    ///
    /// ```
    /// use hitl::agentcore::{OperatorAuth, Right, TokenVerifier};
    ///
    /// # fn keys() -> Result<TokenVerifier, Box<dyn std::error::Error>> {
    /// #     Ok(TokenVerifier::from_jwks(r#"{ "keys": [] }"#)?)
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let operators = OperatorAuth::verified(keys()?).role_for(Right::Start, "desk").role_for(Right::Read, "auditor");
    /// # let _ = operators;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn role_for(mut self, right: Right, role: impl Into<String>) -> Self {
        self.rules.role(right, role.into());
        self
    }

    /// Grants a right to every caller, with or without a token. Access to it must then be controlled in front of the
    /// container.
    ///
    /// ```
    /// use hitl::agentcore::{OperatorAuth, Right, TokenVerifier};
    ///
    /// # fn keys() -> Result<TokenVerifier, Box<dyn std::error::Error>> {
    /// #     Ok(TokenVerifier::from_jwks(r#"{ "keys": [] }"#)?)
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Customers, who have no tokens, write to the desk.
    /// let operators = OperatorAuth::verified(keys()?).open(Right::Start);
    /// # let _ = operators;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn open(mut self, right: Right) -> Self {
        self.rules.open(right);
        self
    }

    /// Accepts the `operator` and `roles` that the payload claims. The journal records `unverified` with each verdict.
    ///
    /// Everyone who can reach the server can decide, so it listens on an address that other machines reach only if
    /// [`let_anyone_decide`](crate::http::HttpApi::let_anyone_decide) allows it.
    pub fn claimed() -> Self {
        Self { claimed: true, ..Self::default() }
    }

    /// Returns whether everyone who can reach the server can decide.
    pub(crate) fn lets_anyone_decide(&self) -> bool {
        self.claimed
    }

    /// Returns whether callers are identified by tokens.
    pub(crate) fn verifies(&self) -> bool {
        self.tokens.is_some()
    }

    /// Returns the access rules; `None` if tokens are not verified.
    pub(super) fn rules(&self) -> Option<&Rules> {
        self.tokens.as_ref().map(|_| &self.rules)
    }

    /// Returns the operator of a request. A token takes precedence over the payload's claim, and a claim that is neither
    /// the name nor the `sub` in it is rejected.
    pub(crate) fn operator(
        &self,
        caller: &Caller,
        claimed: Option<Operator>,
    ) -> Result<Option<Operator>, ApiError> {
        match (&caller.subject, claimed) {
            (Some(subject), Some(claimed)) if !subject.is_named(claimed.name()) => Err(ApiError::new(
                403,
                "operator_mismatch",
                "the operator in the payload is neither the name nor the `sub` in the token: omit it, or send that \
                     operator's token",
            )),
            (Some(subject), _) => Ok(Some(subject.operator_through(caller.channel))),
            (None, Some(_)) if !self.claimed => Err(ApiError::new(
                403,
                "operator_unverified",
                "claimed operators are not accepted: send the operator's token as `Authorization: Bearer …`",
            )),
            (None, claimed) => Ok(claimed.map(|it| it.with_evidence(Evidence::through(caller.channel)))),
        }
    }
}

/// The caller of a request.
pub(crate) struct Caller {
    /// The session of AgentCore.
    #[cfg_attr(not(feature = "agentcore"), expect(dead_code))]
    pub(crate) session: Option<String>,
    /// The journal's name for the channel that the request came through.
    channel: &'static str,
    subject: Option<Subject>,
    /// The headers that nodes may read.
    pub(crate) forwarded: RequestHeaders,
}

impl Caller {
    /// Sets the headers that nodes may read.
    pub(crate) fn with_forwarded(self, forwarded: RequestHeaders) -> Self {
        Self { forwarded, ..self }
    }

    /// Returns the verified subject of the caller's token, if there is one.
    pub(super) fn subject(&self) -> Option<&Operator> {
        self.subject.as_ref().map(|subject| &subject.operator)
    }

    /// Returns the operator's name in the caller's token, if there is one.
    pub(crate) fn name(&self) -> Option<&str> {
        self.subject().map(Operator::name)
    }

    /// Reads the headers and verifies the token.
    pub(crate) async fn from_headers(
        operators: &OperatorAuth,
        headers: &HeaderMap,
        session: Option<String>,
        channel: &'static str,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        // Without keys a token proves nothing, and neither does any other signature of the request.
        let Some(tokens) = &operators.tokens else {
            return Ok(Self { session, channel, subject: None, forwarded: RequestHeaders::default() });
        };
        let subject = match bearer(headers)? {
            Some(token) => Some(tokens.verify(token, now.as_millis() / 1000).await?),
            None => None,
        };
        Ok(Self { session, channel, subject, forwarded: RequestHeaders::default() })
    }

    /// Checks that the token with which the connection was opened has not expired.
    pub(crate) fn check_expiry(&self, now: Timestamp) -> Result<(), ApiError> {
        match &self.subject {
            Some(subject) => subject.check_expiry(now.as_millis() / 1000),
            None => Ok(()),
        }
    }
}

/// Returns the bearer token of a request (RFC 6750). An AWS SigV4 signature identifies the calling client, not an
/// operator, and is ignored.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::new(
            401,
            "token_invalid",
            "the request has more than one `Authorization` header: send one token",
        ));
    }
    match value.to_str().ok().and_then(|text| text.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        Some((scheme, _)) if scheme.starts_with("AWS4-") => Ok(None),
        _ => Err(ApiError::new(
            401,
            "token_invalid",
            "the `Authorization` header is not `Bearer` followed by a token",
        )),
    }
}

impl fmt::Debug for OperatorAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorAuth").field("claimed", &self.claimed).finish_non_exhaustive()
    }
}
