//! A request together with its operator and session.

use serde_json::Value;

use super::{
    House,
    access::{self, Hearing},
    identity::Caller,
    session::{session_id, thread_of},
};
use crate::{
    Operator,
    run::Graph,
    serve::wire::{Refusal, Reply, Request},
};

/// A request that has been read and whose operator is known.
pub(super) struct Call {
    pub(super) request: Request,
    /// The operator, if the request names one that is accepted or has a verified token.
    pub(super) operator: Option<Operator>,
    /// The session of its thread.
    pub(super) session: String,
}

impl Call {
    pub(super) fn read<G: Graph>(house: &House<G>, caller: &Caller, payload: Value) -> Result<Self, Refusal> {
        let there = caller.session.as_deref();
        let mut request = Request::read_for::<G>(payload, there.and_then(thread_of))?;
        let session = session_id(&request.thread);
        if let Some(there) = there.filter(|there| *there != session) {
            return Err(Refusal::new(
                400,
                "session_mismatch",
                format!("thread `{}` has the session `{session}`, and this is another one", request.thread),
            )
            .detail("thread", request.thread.as_str())
            .detail("session", session)
            .detail("sent", there.chars().take(256).collect::<String>()));
        }
        let operator = house.operators.of(caller, request.claimed.take())?;
        Ok(Self { request, operator, session })
    }

    /// Checks whether the caller may make this request, and returns what the caller may see of the thread.
    pub(super) async fn admit<G: Graph>(
        &self,
        house: &House<G>,
        caller: &Caller,
    ) -> Result<Hearing, Refusal> {
        access::admit(house, caller, &self.request).await
    }

    /// Executes the request. Call it on the runtime that executes nodes, which is not the one that answers pings.
    pub(super) async fn run<G: Graph>(self, house: &House<G>) -> Result<Reply, Refusal> {
        house.agent.act(self.request, self.operator.as_ref()).await.map_err(kept_back)
    }
}

/// Replaces the message of a 503: a store's errors may name accounts, roles and files, so they go to the log only.
pub(super) fn kept_back(refusal: Refusal) -> Refusal {
    if refusal.status != 503 {
        return refusal;
    }
    tracing::error!(code = refusal.code, "{refusal}");
    let said =
        "this container cannot go on for now, and its log says why: ask how the thread stands, or ask again";
    Refusal { details: refusal.details, ..Refusal::new(503, refusal.code, said) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_says_is_for_the_log() {
        let said = Refusal::new(
            503,
            "store",
            "User: arn:aws:sts::111122223333:assumed-role/refunds is not authorized",
        )
        .detail("thread", "t");
        let told = kept_back(said);
        assert_eq!((told.status, told.code, &told.details["thread"]), (503, "store", &Value::from("t")));
        assert!(!told.message.contains("arn:"), "{told}");
        let late = Refusal::new(409, "stale", "somebody was first");
        assert_eq!(kept_back(late.clone()), late);
    }
}
