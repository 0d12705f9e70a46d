//! A request together with its operator and session.

use std::sync::Arc;

use hitl_runtime::{Operator, plumbing::RequestHeaders};
use serde_json::Value;

use super::{
    AppState,
    connections::Execution,
    refusal::{Refusal, RequestInfo},
    response::is_id,
    session::{session_id, thread_for},
    sweep,
};
use crate::{
    api::{Action, ApiError, Reply, Request, dispatch_on, inbox},
    identity::{self, Caller, DecidableReviews, Visibility},
};

/// A request that has been read and whose operator is known.
pub(super) struct AuthenticatedRequest {
    pub(super) request: Request,
    /// The operator, if the request names one that is accepted or has a verified token.
    pub(super) operator: Option<Operator>,
    /// The session in which it was sent, or else that of its thread.
    pub(super) session: String,
    /// The names that the log has of it if it is refused.
    info: Arc<RequestInfo>,
    /// The headers that nodes may read while it is executed.
    headers: RequestHeaders,
    /// Counts the request among those in flight. `None` if the server has no limit.
    _execution: Option<Execution>,
}

impl AuthenticatedRequest {
    pub(super) fn parse(
        state: &AppState,
        caller: &Caller,
        payload: Value,
        execution: Option<Execution>,
    ) -> Result<Self, Refusal> {
        let session_header = caller.session.as_deref();
        let of_session = session_header.and_then(thread_for);
        let info = RequestInfo::read(&payload, of_session.as_ref(), caller.name());
        let parsed = Request::parse_for_state(state.engine.graph.state, payload, of_session);
        let mut request = match parsed {
            Ok(request) => request,
            Err(error) => return Err(Refusal::new(error, &Arc::new(info))),
        };
        // Any session will do: the order of a thread's entries is the journal's, not the session's.
        let session = session_header.filter(|session| is_id(session));
        let session = session.map_or_else(|| session_id(&request.thread), str::to_owned);
        let claimed = request.claimed.take();
        let name = caller.name().or(claimed.as_ref().map(Operator::name));
        let info = Arc::new(info.parsed(&request.thread, name));
        let operator =
            state.operators.operator(caller, claimed).map_err(|error| Refusal::new(error, &info))?;
        let headers = caller.forwarded.clone();
        Ok(Self { request, operator, session, info, headers, _execution: execution })
    }

    /// Checks whether the caller may make this request, and returns what the caller may see of the thread.
    pub(super) async fn authorize(&self, state: &AppState, caller: &Caller) -> Result<Visibility, Refusal> {
        let authorized = identity::authorize(&state.operators, &state.engine, caller, &self.request).await;
        authorized.map_err(|error| Refusal::new(error, &self.info))
    }

    /// Executes the request. Call it on the runtime that executes nodes, which is not the one that
    /// answers pings.
    pub(super) async fn execute(self, state: &AppState) -> Result<Reply, Refusal> {
        let (engine, operator) = (&state.engine, self.operator.as_ref());
        let thread = self.request.thread.clone();
        let reply = match (self.request.action, operator) {
            (Action::Inbox { after, limit }, Some(operator)) => {
                let operators = &state.operators;
                let filter = DecidableReviews { operators, engine, operator };
                let page = inbox(engine, operator, after, limit, &filter).await;
                page.map(|(reviews, next)| Reply::Inbox { reviews, next }).map_err(ApiError::from)
            }
            // The nodes that a sweep runs do not get the headers of this request, which is not about their threads.
            (Action::Sweep, _) => sweep::requested(state).await.map(|sweep| Reply::Sweep { sweep }),
            (action, operator) => {
                let request = Request { action, ..self.request };
                self.headers.scope(dispatch_on(engine, request, operator)).await
            }
        };
        if reply.is_ok() {
            state.own_threads.add(&thread);
        }
        reply.map_err(|error| Refusal::new(error.redacted(), &self.info))
    }
}
