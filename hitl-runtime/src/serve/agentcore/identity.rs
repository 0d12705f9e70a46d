//! Who calls, and who decides.

use std::sync::Arc;

use axum::http::{HeaderMap, header};

use super::{
    House, answer,
    token::{Subject, Tokens},
};
use crate::{Operator, run::Graph, serve::wire::Refusal};

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
}

impl Operators {
    /// The subject of a verified token, and nobody else. Only verdicts and settlements ask for one: who may begin a thread
    /// or look at it is for whoever stands before the container.
    pub fn verified(tokens: Tokens) -> Self {
        Self { tokens: Some(Arc::new(tokens)), claimed: false }
    }

    /// Whoever the payload says it is, by `operator` and `roles`. The journal says `unverified` beside each verdict.
    pub fn claimed() -> Self {
        Self { tokens: None, claimed: true }
    }

    /// The same, and where there is no token whoever the payload says it is.
    ///
    /// ```no_run
    /// use hitl::agentcore::{Operators, Tokens};
    ///
    /// # fn keys() -> Result<Tokens, Box<dyn std::error::Error>> {
    /// #     Ok(Tokens::from_jwks(r#"{ "keys": [] }"#)?)
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // For the weeks in which some callers have tokens, and some do not yet.
    /// let operators = Operators::verified(keys()?).or_claimed();
    /// # let _ = operators;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn or_claimed(self) -> Self {
        Self { claimed: true, ..self }
    }

    /// Who decides. A token outweighs what a payload claims, which must not say otherwise.
    pub(super) fn of(&self, caller: &Caller, claimed: Option<Operator>) -> Result<Option<Operator>, Refusal> {
        match (&caller.subject, claimed) {
            (Some(subject), Some(claimed)) if claimed.name() != subject.operator.name() => Err(Refusal::new(
                403,
                "operator_mismatch",
                "the payload names another operator than the token does",
            )),
            (Some(subject), _) => Ok(Some(subject.operator.clone())),
            (None, Some(_)) if !self.claimed => Err(Refusal::new(
                403,
                "operator_unverified",
                "a name in the payload is not taken here: send the operator's token as `Authorization: Bearer …`",
            )),
            (None, claimed) => Ok(claimed),
        }
    }
}

/// Who calls.
pub(super) struct Caller {
    pub(super) session: Option<String>,
    subject: Option<Subject>,
}

impl Caller {
    /// Reads and verifies what the headers say.
    pub(super) async fn of<G: Graph>(house: &House<G>, headers: &HeaderMap) -> Result<Self, Refusal> {
        let session = answer::text(headers, answer::SESSION).map(str::to_owned);
        // Where nothing can verify a token, it proves nothing, and neither does what else a request is signed with.
        let Some(tokens) = &house.operators.tokens else { return Ok(Self { session, subject: None }) };
        let subject = match bearer(headers)? {
            Some(token) => Some(tokens.verify(token, house.agent.now_ms() / 1000).await?),
            None => None,
        };
        Ok(Self { session, subject })
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
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    match value.to_str().ok().and_then(|text| text.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        Some((scheme, _)) if scheme.starts_with("AWS4-") => Ok(None),
        _ => Err(Refusal::new(401, "token_invalid", "`Authorization` is not `Bearer` and a token")),
    }
}
