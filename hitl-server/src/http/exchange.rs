//! The execution of a request: the same checks and the same dispatch as those of an action of AgentCore.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::Value;
use tracing::Instrument as _;

use super::payload::Route;
use crate::{
    api::{ApiError, Reply},
    identity::Caller,
    server::{
        AppState, AuthenticatedRequest, Connection, ConnectionExtension, InFlight, Refusal, payload,
        request_guard, response,
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
        let span = response::span(&self.headers);
        let in_flight = self.connection.as_ref().map(InFlight::begin);
        let answering = async {
            let replied = match members {
                Ok(members) => self.execute(route, members).await,
                Err(error) => Err(error.into()),
            };
            let answered = match replied {
                Ok(reply) => response::json(StatusCode::OK, &reply),
                Err(refusal) => {
                    refusal.log();
                    response::error(&refusal.error)
                }
            };
            tracing::info!(status = answered.status().as_u16(), "answered");
            answered
        };
        let answered = answering.instrument(span).await;
        match in_flight {
            Some(in_flight) => in_flight.until_sent(answered),
            None => answered,
        }
    }

    async fn execute(self, route: Route, members: Members) -> Result<Reply, Refusal> {
        let Self { state, connection, headers } = self;
        let (caller, bytes) = match members {
            Members::Query(members) => (state.caller(headers, "http").await?, Err(members)),
            Members::Body(body) => {
                let caller = async {
                    request_guard::is_json(&headers)?;
                    state.caller(headers, "http").await
                };
                let caller = match caller.await {
                    Ok(caller) => caller,
                    Err(error) => {
                        payload::drain(body, state.limits.body).await;
                        return Err(error.into());
                    }
                };
                let bytes = payload::read(body, state.max_bytes, state.limits.body, connection.as_deref());
                (caller, Ok(bytes.await?))
            }
        };
        let execution = connection.as_ref().map(|connection| connection.begin_execution()).transpose()?;
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
        state.work(answering).await
    }

    /// Identifies the caller, and checks their right to a request without a body. It is not executed.
    pub(super) async fn admit(&self, route: Route, members: Value) -> Result<Arc<Caller>, Refusal> {
        let caller = self.state.caller(self.headers.clone(), "http").await?;
        let shared = Arc::clone(&self.state);
        let admitted = async move {
            let request = AuthenticatedRequest::parse(&shared, &caller, route.payload(members)?, None, None)?;
            request.authorize(&shared, &caller).await?;
            Ok::<_, Refusal>(Arc::new(caller))
        };
        self.state.work(admitted).await
    }
}
