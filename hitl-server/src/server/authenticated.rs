//! A request together with its operator.

use std::sync::Arc;

use hitl_runtime::{Operator, ThreadId, plumbing::RequestHeaders};
use serde_json::Value;

use super::{
    AppState,
    connections::Execution,
    refusal::{Refusal, RequestInfo},
    sweep,
};
use crate::{
    api::{Action, ApiError, Reply, Request, batch, dispatch_on, inbox},
    identity::{self, Caller, DecidableReviews, Visibility},
};

/// A request that has been read and whose operator is known.
pub(crate) struct AuthenticatedRequest {
    pub(crate) request: Request,
    /// The operator, if the request names one that is accepted or has a verified token.
    pub(crate) operator: Option<Operator>,
    /// The names that the log has of it if it is refused.
    info: Arc<RequestInfo>,
    /// The headers that nodes may read while it is executed.
    headers: RequestHeaders,
    /// Counts the request among those in flight. `None` if the server has no limit.
    _execution: Option<Execution>,
}

impl AuthenticatedRequest {
    /// Parses a request, and determines its operator. `of_session` is the thread of a request that names none.
    pub(crate) fn parse(
        state: &AppState,
        caller: &Caller,
        payload: Value,
        of_session: Option<ThreadId>,
        execution: Option<Execution>,
    ) -> Result<Self, Refusal> {
        let info = RequestInfo::read(&payload, of_session.as_ref(), caller.name());
        let parsed = Request::parse_for_state(state.engine.graph.state, payload, of_session);
        let mut request = match parsed {
            Ok(request) => request,
            Err(error) => return Err(Refusal::new(error, &Arc::new(info))),
        };
        let claimed = request.claimed.take();
        let name = caller.name().or(claimed.as_ref().map(Operator::name));
        let info = Arc::new(info.parsed(&request.thread, name));
        let operator =
            state.operators.operator(caller, claimed).map_err(|error| Refusal::new(error, &info))?;
        let headers = caller.forwarded.clone();
        Ok(Self { request, operator, info, headers, _execution: execution })
    }

    /// Checks whether the caller may make this request, and returns what the caller may see of the thread.
    pub(crate) async fn authorize(&self, state: &AppState, caller: &Caller) -> Result<Visibility, Refusal> {
        let authorized = identity::authorize(&state.operators, &state.engine, caller, &self.request).await;
        authorized.map_err(|error| Refusal::new(error, &self.info))
    }

    /// Executes the request. Call it on the runtime that executes nodes, which is not the one that
    /// answers pings.
    pub(crate) async fn execute(self, state: &AppState) -> Result<Reply, Refusal> {
        let (engine, operators, operator) = (&state.engine, &state.operators, self.operator.as_ref());
        let thread = self.request.thread.clone();
        let reply = match (self.request.action, operator) {
            (Action::Batch(given), Some(operator)) => {
                let decidable = DecidableReviews { operators, engine, operator };
                let threads: Vec<_> = given.reviews.iter().map(|review| review.thread_id.clone()).collect();
                // As in a sweep, a node of one thread does not get the headers of a request about many.
                let reply = batch(engine, operator, given, &decidable).await;
                if reply.is_ok() {
                    threads.iter().for_each(|thread| state.own_threads.add(thread));
                }
                reply.map(|reply| Reply::Batch(Box::new(reply)))
            }
            (Action::Inbox { filter, after, limit }, Some(operator)) => {
                let decidable = DecidableReviews { operators, engine, operator };
                let page = inbox(engine, operator, &filter, after, limit, &decidable).await;
                page.map(|(reviews, next)| Reply::Inbox { reviews, next }).map_err(ApiError::from)
            }
            // The nodes that a sweep runs do not get the headers of this request, which is not about their threads.
            (Action::Sweep, _) if !engine.is_front() => {
                sweep::requested(state).await.map(|sweep| Reply::Sweep { sweep })
            }
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
