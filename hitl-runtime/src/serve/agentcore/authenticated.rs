//! A request together with its operator and session.

use serde_json::Value;

use super::{
    AppState,
    access::{self, Visibility},
    connections::Execution,
    identity::Caller,
    session::{session_id, thread_for},
};
use crate::{
    Operator,
    serve::api::{ApiError, Reply, Request, dispatch},
};

/// A request that has been read and whose operator is known.
pub(super) struct AuthenticatedRequest {
    pub(super) request: Request,
    /// The operator, if the request names one that is accepted or has a verified token.
    pub(super) operator: Option<Operator>,
    /// The session of its thread.
    pub(super) session: String,
    /// Counts the request among those in flight. `None` if the server has no limit.
    _execution: Option<Execution>,
}

impl AuthenticatedRequest {
    pub(super) fn parse(
        state: &AppState,
        caller: &Caller,
        payload: Value,
        execution: Option<Execution>,
    ) -> Result<Self, ApiError> {
        let session_header = caller.session.as_deref();
        let mut request =
            Request::parse_for_state(state.engine.graph.state, payload, session_header.and_then(thread_for))?;
        let session = session_id(&request.thread);
        if let Some(session_header) = session_header.filter(|session_header| *session_header != session) {
            return Err(ApiError::new(
                400,
                "session_mismatch",
                format!(
                    "thread `{}` belongs to session `{session}`, but the request was sent in another session",
                    request.thread
                ),
            )
            .detail("thread", request.thread.as_str())
            .detail("session", session)
            .detail("sent", session_header.chars().take(256).collect::<String>()));
        }
        let operator = state.operators.operator(caller, request.claimed.take())?;
        Ok(Self { request, operator, session, _execution: execution })
    }

    /// Checks whether the caller may make this request, and returns what the caller may see of the thread.
    pub(super) async fn authorize(&self, state: &AppState, caller: &Caller) -> Result<Visibility, ApiError> {
        access::authorize(state, caller, &self.request).await
    }

    /// Executes the request. Call it on the runtime that executes nodes, which is not the one that
    /// answers pings.
    pub(super) async fn execute(self, state: &AppState) -> Result<Reply, ApiError> {
        dispatch(&state.engine, self.request, self.operator.as_ref()).await.map_err(redact)
    }
}

/// Replaces the message of a 503: a store's errors may name accounts, roles and files, so they go to the log only.
pub(super) fn redact(error: ApiError) -> ApiError {
    if error.status != 503 {
        return error;
    }
    tracing::error!(code = error.code, "{error}");
    let message = "temporarily unavailable, the log of this container has the cause: get the status of the thread, or retry later";
    ApiError { details: error.details, ..ApiError::new(503, error.code, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_store_goes_to_the_log_only() {
        let message = ApiError::new(
            503,
            "store",
            "User: arn:aws:sts::111122223333:assumed-role/refunds is not authorized",
        )
        .detail("thread", "t");
        let redacted = redact(message);
        assert_eq!(
            (redacted.status, redacted.code, &redacted.details["thread"]),
            (503, "store", &Value::from("t"))
        );
        assert!(!redacted.message.contains("arn:"), "{redacted}");
        let late = ApiError::new(409, "stale", "already decided");
        assert_eq!(redact(late.clone()), late);
    }
}
