//! Receiving a request: the same steps for an action of AgentCore and for a request of the HTTP API.
//!
//! The content type is checked and the caller is identified before the body is read, and the body is read before the
//! request takes a place among those that are executed.

use std::sync::Arc;

use axum::{body::Body, http::HeaderMap, response::Response};
use tracing::{Instrument as _, Span};

use super::{
    AppState,
    connections::{Connection, Execution},
    payload, request_guard,
    workers::InFlight,
};
use crate::{api::ApiError, identity::Caller};

/// A request whose caller is known and whose body has been read.
pub(crate) struct Received {
    pub(crate) caller: Caller,
    pub(crate) bytes: Vec<u8>,
    /// Its place among the requests that are executed. `None` if the server has no limit.
    pub(crate) execution: Option<Execution>,
}

/// Receives a request with a body in JSON.
///
/// # Errors
/// If the content type is not JSON, the caller cannot be identified, the body is too large or too slow, or too many
/// requests are executed. The body has been read then, so that its sender gets the error.
pub(crate) async fn receive(
    state: &Arc<AppState>,
    connection: Option<&Arc<Connection>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Received, ApiError> {
    let caller = async {
        request_guard::is_json(&headers)?;
        state.caller(headers, "http").await
    };
    let caller = match caller.await {
        Ok(caller) => caller,
        Err(error) => {
            payload::drain(body, state.limits.body).await;
            return Err(error);
        }
    };
    let bytes =
        payload::read(body, state.max_bytes, state.limits.body, connection.map(AsRef::as_ref)).await?;
    Ok(Received { caller, bytes, execution: begin_execution(connection)? })
}

/// Takes a place among the requests that are executed; `None` if the server has no limit.
///
/// # Errors
/// 503 if too many requests are executed.
pub(crate) fn begin_execution(connection: Option<&Arc<Connection>>) -> Result<Option<Execution>, ApiError> {
    connection.map(|connection| connection.begin_execution()).transpose()
}

/// Answers a request in its span, and logs the status. The request is in flight until its response is sent.
pub(crate) async fn answer(
    span: Span,
    connection: Option<&Arc<Connection>>,
    answering: impl Future<Output = Response>,
) -> Response {
    let in_flight = connection.map(InFlight::begin);
    let answering = async {
        let answered = answering.await;
        tracing::info!(status = answered.status().as_u16(), "answered");
        answered
    };
    let answered = answering.instrument(span).await;
    match in_flight {
        Some(in_flight) => in_flight.until_sent(answered),
        None => answered,
    }
}
