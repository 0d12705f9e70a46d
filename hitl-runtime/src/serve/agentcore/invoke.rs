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

use super::{House, answer, call::Call, connections::Connection, door, payload, stream, work::Underway};
use crate::{run::Graph, serve::wire::Refusal};

/// The connection of a request, if this server accepted it.
pub(super) type On = Option<Extension<Arc<Connection>>>;

pub(super) async fn invoke<G: Graph>(
    State(house): State<Arc<House<G>>>,
    on: On,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let span = span(&headers);
    let connection = on.map(|Extension(connection)| connection);
    let underway = connection.as_ref().map(Underway::begin);
    let answered = async {
        let response = answer(&house, connection.as_ref(), headers, body).await.unwrap_or_else(|refusal| {
            log(&refusal);
            answer::refused(&refusal)
        });
        tracing::info!(status = response.status().as_u16(), "answered");
        response
    };
    let response = answered.instrument(span).await;
    match underway {
        Some(underway) => underway.until_sent(response),
        None => response,
    }
}

/// Handles `POST /runtimes/{arn}/invocations`, the service's own path, so that its SDKs can be pointed at this server.
/// They look for the text of an error in `message`.
pub(super) async fn invoke_as_service<G: Graph>(
    house: State<Arc<House<G>>>,
    on: On,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let response = invoke(house, on, headers, body).await;
    match response.extensions().get::<Refusal>() {
        Some(refusal) => answer::refused(&refusal.clone().detail("message", refusal.message.clone())),
        None => response,
    }
}

/// Logs a refusal. The message of a client error may quote anything that was sent, so it goes to the caller only.
fn log(refusal: &Refusal) {
    match refusal.status {
        500.. => tracing::warn!(code = refusal.code, "{refusal}"),
        _ => tracing::info!(code = refusal.code, "refused"),
    }
}

/// Returns a span that identifies the request in everything logged while it is served.
pub(super) fn span(headers: &HeaderMap) -> tracing::Span {
    let request = answer::id(headers, answer::REQUEST).map_or_else(answer::drawn_id, str::to_owned);
    let session = answer::id(headers, answer::SESSION).unwrap_or_default();
    tracing::info_span!("request", requestId = request, sessionId = session)
}

async fn answer<G: Graph>(
    house: &Arc<House<G>>,
    connection: Option<&Arc<Connection>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let events = wants_events(&headers);
    let caller = async {
        door::is_json(&headers)?;
        house.caller(headers, "http").await
    };
    let caller = match caller.await {
        Ok(caller) => caller,
        Err(refusal) => {
            payload::drain(body, house.limits.body).await;
            return Err(refusal);
        }
    };
    let bytes = payload::read(body, house.largest, house.limits.body, connection.map(AsRef::as_ref));
    let bytes = bytes.await?;
    if let Some(connection) = connection {
        connection.works()?;
    }
    let (inner, connection) = (Arc::clone(house), connection.cloned());
    // Parse on the runtime that executes nodes, so that a large or slow payload does not delay pings.
    let ready = house.work(async move {
        let payload = payload::parse(&bytes, inner.largest, connection.as_deref())?;
        drop(bytes);
        let call = Call::read(&inner, &caller, payload)?;
        let hearing = call.admit(&inner, &caller).await?;
        // The caller may have omitted the session.
        tracing::Span::current().record("sessionId", call.session.as_str());
        Ok((call, hearing))
    });
    let (call, hearing) = ready.await?;
    let session = call.session.clone();
    let mut response = if events {
        stream::answer(house, call, hearing).await?
    } else {
        let inner = Arc::clone(house);
        house.work(async move { Ok(answer::json(StatusCode::OK, &call.run(&inner).await?)) }).await?
    };
    if let Ok(session) = HeaderValue::from_str(&session) {
        response.headers_mut().insert(answer::SESSION, session);
    }
    Ok(response)
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}
