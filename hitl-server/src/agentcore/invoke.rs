//! `POST /invocations`, and the path that the service's clients use for the same.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use tracing::Instrument;

use super::{
    AppState, authenticated::AuthenticatedRequest, connections::Connection, payload, refusal::Refusal,
    request_guard, response, stream, workers::InFlight,
};
use crate::api::ApiError;

/// The connection of a request, if this server accepted it.
pub(super) type ConnectionExtension = Option<Extension<Arc<Connection>>>;

pub(super) async fn invoke(
    State(state): State<Arc<AppState>>,
    connection: ConnectionExtension,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let span = span(&headers);
    let connection = connection.map(|Extension(connection)| connection);
    let in_flight = connection.as_ref().map(InFlight::begin);
    let as_events = wants_events(&headers);
    let answering = async {
        let answered = try_invoke(&state, connection.as_ref(), headers, body, as_events).await;
        let answered = answered.unwrap_or_else(|refusal| {
            refusal.log();
            refusal.respond(state.behind_service, as_events)
        });
        tracing::info!(status = answered.status().as_u16(), "answered");
        answered
    };
    let answered = answering.instrument(span).await;
    match in_flight {
        Some(in_flight) => in_flight.until_sent(answered),
        None => answered,
    }
}

/// Handles `POST /runtimes/{arn}/invocations`, the service's own path, so that its SDKs can be pointed at this server.
/// They look for the text of an error in `message`, and in a response with its status, also behind the service: this path
/// is not the service's way to the container.
pub(super) async fn invoke_as_service(
    state: State<Arc<AppState>>,
    connection: ConnectionExtension,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answered = invoke(state, connection, headers, body).await;
    match answered.extensions().get::<ApiError>() {
        Some(error) => response::error(&error.clone().detail("message", error.message.clone())),
        None => answered,
    }
}

/// Returns a span that identifies the request in everything logged while it is served.
pub(super) fn span(headers: &HeaderMap) -> tracing::Span {
    let request = response::id(headers, response::REQUEST).map_or_else(response::random_id, str::to_owned);
    let session = response::id(headers, response::SESSION).unwrap_or_default();
    tracing::info_span!("request", requestId = request, sessionId = session)
}

async fn try_invoke(
    state: &Arc<AppState>,
    connection: Option<&Arc<Connection>>,
    headers: HeaderMap,
    body: Body,
    as_events: bool,
) -> Result<Response, Refusal> {
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
    let bytes = payload::read(body, state.max_bytes, state.limits.body, connection.map(AsRef::as_ref));
    let bytes = bytes.await?;
    let execution = connection.map(|connection| connection.begin_execution()).transpose()?;
    let (shared, connection) = (Arc::clone(state), connection.cloned());
    // Parse on the runtime that executes nodes, so that a large or slow payload does not delay pings.
    let authorized = async move {
        let payload = payload::parse(&bytes, shared.max_bytes, connection.as_deref())?;
        drop(bytes);
        let request = AuthenticatedRequest::parse(&shared, &caller, payload, execution)?;
        let visibility = request.authorize(&shared, &caller).await?;
        // The caller may have omitted the session.
        tracing::Span::current().record("sessionId", request.session.as_str());
        Ok::<_, Refusal>((request, visibility))
    };
    let (session, mut answered) = if as_events {
        let (request, visibility) = state.work(authorized).await?;
        (request.session.clone(), stream::respond(state, request, visibility).await?)
    } else {
        let shared = Arc::clone(state);
        // In one task, because each task costs two changes of the thread.
        let answering = async move {
            let (request, _) = authorized.await?;
            let session = request.session.clone();
            Ok::<_, Refusal>((session, response::json(StatusCode::OK, &request.execute(&shared).await?)))
        };
        state.work(answering).await?
    };
    if let Ok(session) = HeaderValue::from_str(&session) {
        answered.headers_mut().insert(response::SESSION, session);
    }
    Ok(answered)
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}
