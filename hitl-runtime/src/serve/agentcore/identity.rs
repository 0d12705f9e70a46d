//! Who calls, and who decides.

use std::sync::Arc;

use axum::http::{HeaderMap, header};

use super::{
    House,
    access::{Right, Rules},
    answer,
    token::{Subject, Tokens},
};
use crate::{Operator, journal::Evidence, run::Graph, serve::wire::Refusal};

/// Whom a verdict is taken from.
///
/// AgentCore lets a request through once its authorizer has verified the caller's token, and passes that on where the
/// runtime's request header allowlist has `Authorization`. It is verified again here: a container is not always reached
/// through the service.
///
/// ```
/// use hitl::agentcore::Operators;
///
/// // At a desk of one's own, where whoever can call may be anybody.
/// let desk = Operators::claimed();
/// # let _ = desk;
/// ```
#[derive(Clone, Default)]
pub struct Operators {
    tokens: Option<Arc<Tokens>>,
    claimed: bool,
    rules: Rules,
}

impl Operators {
    /// The subject of a verified token, and nobody else. All but the ping asks for a token.
    ///
    /// Whoever has one may begin threads, and a thread belongs to who began it. Besides them, whoever holds the role of a
    /// review that the thread waits for, or has waited for, may read it, decide and have it taken up; for anybody else
    /// there is no such thread. [`role_for`](Self::role_for) and [`open`](Self::open) say otherwise.
    pub fn verified(tokens: Tokens) -> Self {
        Self { tokens: Some(Arc::new(tokens)), claimed: false, rules: Rules::default() }
    }

    /// Names a role for a right. For [`Right::Start`], only its holders begin threads, or those of another role that is
    /// named so. For the others, its holders have the right to every thread, as an auditor does.
    ///
    /// ```
    /// use hitl::agentcore::{Operators, Right, Tokens};
    ///
    /// # fn keys() -> Result<Tokens, Box<dyn std::error::Error>> {
    /// #     Ok(Tokens::from_jwks(r#"{ "keys": [] }"#)?)
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let operators = Operators::verified(keys()?).role_for(Right::Start, "desk").role_for(Right::Read, "auditor");
    /// # let _ = operators;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn role_for(mut self, right: Right, role: impl Into<String>) -> Self {
        self.rules.role(right, role.into());
        self
    }

    /// Gives a right to whoever calls, with or without a token. What is opened is for whoever stands before the container
    /// to guard.
    ///
    /// ```
    /// use hitl::agentcore::{Operators, Right, Tokens};
    ///
    /// # fn keys() -> Result<Tokens, Box<dyn std::error::Error>> {
    /// #     Ok(Tokens::from_jwks(r#"{ "keys": [] }"#)?)
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Customers, who have no tokens, write to the desk.
    /// let operators = Operators::verified(keys()?).open(Right::Start);
    /// # let _ = operators;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn open(mut self, right: Right) -> Self {
        self.rules.open(right);
        self
    }

    /// Whoever the payload says it is, by `operator` and `roles`. The journal says `unverified` beside each verdict.
    ///
    /// Whoever can reach the server decides. On an address that others reach, it is not served unless
    /// [`let_anyone_decide`](super::AgentCore::let_anyone_decide) says that this is meant.
    pub fn claimed() -> Self {
        Self { claimed: true, ..Self::default() }
    }

    /// Whether anybody decides who can reach the server.
    pub(super) fn lets_anyone_decide(&self) -> bool {
        self.claimed
    }

    /// Who may do what; none where no token is verified.
    pub(super) fn rules(&self) -> Option<&Rules> {
        self.tokens.as_ref().map(|_| &self.rules)
    }

    /// Who decides. A token outweighs what a payload claims, which must not say otherwise.
    pub(super) fn of(&self, caller: &Caller, claimed: Option<Operator>) -> Result<Option<Operator>, Refusal> {
        match (&caller.subject, claimed) {
            (Some(subject), Some(claimed)) if claimed.name() != subject.operator.name() => Err(Refusal::new(
                403,
                "operator_mismatch",
                "the payload names another operator than the token does",
            )),
            (Some(subject), _) => Ok(Some(subject.operator_through(caller.channel))),
            (None, Some(_)) if !self.claimed => Err(Refusal::new(
                403,
                "operator_unverified",
                "a name in the payload is not taken here: send the operator's token as `Authorization: Bearer …`",
            )),
            (None, claimed) => Ok(claimed.map(|it| it.with_evidence(Evidence::through(caller.channel)))),
        }
    }
}

/// Who calls.
pub(super) struct Caller {
    pub(super) session: Option<String>,
    /// What the journal calls the way that the request came.
    channel: &'static str,
    subject: Option<Subject>,
}

impl Caller {
    /// Who decides, or asks.
    pub(super) fn operator(&self) -> Option<&Operator> {
        self.subject.as_ref().map(|subject| &subject.operator)
    }

    /// Reads and verifies what the headers say.
    pub(super) async fn of<G: Graph>(
        house: &House<G>,
        headers: &HeaderMap,
        channel: &'static str,
    ) -> Result<Self, Refusal> {
        let session = answer::text(headers, answer::SESSION).map(str::to_owned);
        // Where nothing can verify a token, it proves nothing, and neither does what else a request is signed with.
        let Some(tokens) = &house.operators.tokens else {
            return Ok(Self { session, channel, subject: None });
        };
        let subject = match bearer(headers)? {
            Some(token) => Some(tokens.verify(token, house.agent.now_ms() / 1000).await?),
            None => None,
        };
        Ok(Self { session, channel, subject })
    }

    /// Whether the token that a connection was opened with is good yet.
    pub(super) fn still<G: Graph>(&self, house: &House<G>) -> Result<(), Refusal> {
        match &self.subject {
            Some(subject) => subject.still(house.agent.now_ms() / 1000),
            None => Ok(()),
        }
    }
}

/// The token of a request, by RFC 6750. What AWS's SDKs sign with is the caller's, and says nothing of an operator.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::new(401, "token_invalid", "`Authorization` is there twice: send one token"));
    }
    match value.to_str().ok().and_then(|text| text.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        Some((scheme, _)) if scheme.starts_with("AWS4-") => Ok(None),
        _ => Err(Refusal::new(401, "token_invalid", "`Authorization` is not `Bearer` and a token")),
    }
}
