//! The execution of a request: the same checks and the same dispatch as those of an action of AgentCore.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::Value;
use tracing::Span;

use super::payload::Route;
use crate::{
    api::{ApiError, Reply, invalid},
    identity::Caller,
    server::{
        AppState, AuthenticatedRequest, Connection, ConnectionExtension, Execution, Received, Refusal,
        payload, receive, response,
    },
};

/// The members of a request: in its query, or in its body.
pub(super) enum Members {
    Query(Value),
    Body(Body),
}

/// A request of the HTTP API.
pub(super) struct Exchange {
    pub(super) state: Arc<AppState>,
    pub(super) connection: Option<Arc<Connection>>,
    pub(super) headers: HeaderMap,
}

impl Exchange {
    pub(super) fn new(state: Arc<AppState>, connection: ConnectionExtension, headers: HeaderMap) -> Self {
        Self { state, connection: connection.map(|connection| connection.0), headers }
    }

    /// Executes a request, and answers it.
    pub(super) async fn answer(self, route: Route, members: Result<Members, ApiError>) -> Response {
        let (span, connection) = (response::span(&self.headers), self.connection.clone());
        let executing = async { Ok(response::json(StatusCode::OK, &self.execute(route, members?).await?)) };
        respond(span, connection.as_ref(), executing).await
    }

    async fn execute(self, route: Route, members: Members) -> Result<Reply, Refusal> {
        let Self { state, connection, headers } = self;
        let has_query = matches!(members, Members::Query(_));
        let (caller, bytes, execution) = match members {
            Members::Query(members) => {
                let caller = state.caller(headers, "http").await?;
                (caller, Err(members), receive::begin_execution(connection.as_ref())?)
            }
            Members::Body(body) => {
                let received = receive::receive(&state, connection.as_ref(), headers, body).await?;
                let Received { caller, bytes, execution } = received;
                (caller, Ok(bytes), execution)
            }
        };
        let shared = Arc::clone(&state);
        // Parse on the runtime that executes nodes, so that a large or slow payload does not delay pings.
        let answering = async move {
            let members = match bytes {
                Ok(bytes) => payload::parse(&bytes, shared.max_bytes, connection.as_deref())?,
                Err(members) => members,
            };
            let request =
                AuthenticatedRequest::parse(&shared, &caller, route.payload(members)?, None, execution)?;
            request.authorize(&shared, &caller).await?;
            request.execute(&shared).await
        };
        state.work(answering).await.map_err(|mut refusal| {
            if has_query {
                refusal.error = named_page_token(refusal.error);
            }
            refusal
        })
    }

    /// Identifies the caller, and checks their right to a request without a body. It is not executed; the caller of
    /// this function holds its place among the requests that are executed.
    pub(super) async fn admit(
        &self,
        route: Route,
        members: Value,
    ) -> Result<(Caller, Option<Execution>), Refusal> {
        let caller = self.state.caller(self.headers.clone(), "http").await?;
        let execution = receive::begin_execution(self.connection.as_ref())?;
        let shared = Arc::clone(&self.state);
        let admitted = async move {
            let request = AuthenticatedRequest::parse(&shared, &caller, route.payload(members)?, None, None)?;
            request.authorize(&shared, &caller).await?;
            Ok::<_, Refusal>((caller, execution))
        };
        self.state.work(admitted).await
    }
}

/// Answers a request in its span: an error is logged, and is the response.
pub(super) async fn respond(
    span: Span,
    connection: Option<&Arc<Connection>>,
    answering: impl Future<Output = Result<Response, Refusal>>,
) -> Response {
    let answering = async {
        answering.await.unwrap_or_else(|refusal| {
            refusal.log();
            response::error(&refusal.error)
        })
    };
    receive::answer(span, connection, answering).await
}

/// Names the parameter of a page token that the store does not accept. Of the errors of a store, only that one has this
/// status in a request that reads.
fn named_page_token(error: ApiError) -> ApiError {
    if (error.status, error.code) != (400, "store") {
        return error;
    }
    invalid("`after` is not a page token of this list: give the `next` of the page before, or leave it out")
        .detail("path", "after")
}
