//! `POST /invocations`, and the path that the service's clients use for the same.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Response, sse::Event},
};

use super::{
    session::{session_of, thread_of},
    stream,
};
use crate::{
    api::ApiError,
    server::{
        AppState, AuthenticatedRequest, Connection, ConnectionExtension, Received, Refusal, payload, receive,
        response,
    },
};

pub(super) async fn invoke(
    State(state): State<Arc<AppState>>,
    connection: ConnectionExtension,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let span = response::span(&headers);
    let connection = connection.map(|Extension(connection)| connection);
    let as_events = wants_events(&headers);
    let answering = async {
        let answered = try_invoke(&state, connection.as_ref(), headers, body, as_events).await;
        answered.unwrap_or_else(|refusal| {
            refusal.log();
            respond(refusal, state.behind_service, as_events)
        })
    };
    receive::answer(span, connection.as_ref(), answering).await
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

async fn try_invoke(
    state: &Arc<AppState>,
    connection: Option<&Arc<Connection>>,
    headers: HeaderMap,
    body: Body,
    as_events: bool,
) -> Result<Response, Refusal> {
    let Received { caller, bytes, execution } = receive::receive(state, connection, headers, body).await?;
    let (shared, connection) = (Arc::clone(state), connection.cloned());
    // Parse on the runtime that executes nodes, so that a large or slow payload does not delay pings.
    let authorized = async move {
        let payload = payload::parse(&bytes, shared.max_bytes, connection.as_deref())?;
        drop(bytes);
        let request = AuthenticatedRequest::parse(&shared, &caller, payload, thread_of(&caller), execution)?;
        let visibility = request.authorize(&shared, &caller).await?;
        // The caller may have omitted the session.
        let session = session_of(&caller, &request.request.thread);
        tracing::Span::current().record("sessionId", session.as_str());
        Ok::<_, Refusal>((session, request, visibility))
    };
    let (session, mut answered) = if as_events {
        let (session, request, visibility) = state.work(authorized).await?;
        (session, stream::respond(state, request, visibility).await?)
    } else {
        let shared = Arc::clone(state);
        // In one task, because each task costs two changes of the thread.
        let answering = async move {
            let (session, request, _) = authorized.await?;
            Ok::<_, Refusal>((session, response::json(StatusCode::OK, &request.execute(&shared).await?)))
        };
        state.work(answering).await?
    };
    if let Ok(session) = HeaderValue::from_str(&session) {
        answered.headers_mut().insert(response::SESSION, session);
    }
    Ok(answered)
}

/// Returns the response to a refused request. Behind the service a refusal has the status 200, with the same body, or
/// is the only event of a stream.
fn respond(refusal: Refusal, behind_service: bool, as_events: bool) -> Response {
    if !behind_service || !refusal.is_for_the_caller() {
        return response::error(&refusal.error);
    }
    let mut answered = if as_events {
        // Serialization cannot fail: these are our own types, whose keys are strings.
        let event = Event::default().data(serde_json::to_string(&refusal).unwrap_or_default());
        response::sse(futures_util::stream::iter([Ok::<_, Infallible>(event)]))
    } else {
        response::json(StatusCode::OK, &refusal.error)
    };
    answered.extensions_mut().insert(refusal.error);
    answered
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}
