//! `POST /invocations`, and the address at which the service's clients ask for it.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use tracing::Instrument;

use super::{House, answer, call::Call, identity::Caller, payload, stream};
use crate::{run::Graph, serve::wire::Refusal};

pub(super) async fn invoke<G: Graph>(
    State(house): State<Arc<House<G>>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let span = span(&headers);
    let answered = async {
        let response = answer(&house, &headers, body).await.unwrap_or_else(|refusal| {
            log(&refusal);
            answer::refused(&refusal)
        });
        tracing::info!(status = response.status().as_u16(), "answered");
        response
    };
    answered.instrument(span).await
}

/// `POST /runtimes/{arn}/invocations`: the service's address, so that its SDKs can be pointed at this program. They look for
/// the text of an error in `message`.
pub(super) async fn invoke_as_service<G: Graph>(
    house: State<Arc<House<G>>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let response = invoke(house, headers, body).await;
    match response.extensions().get::<Refusal>() {
        Some(refusal) => answer::refused(&refusal.clone().detail("message", refusal.message.clone())),
        None => response,
    }
}

/// What the caller did wrong may hold anything that was sent, so its words are for the caller alone.
fn log(refusal: &Refusal) {
    match refusal.status {
        500.. => tracing::warn!(code = refusal.code, "{refusal}"),
        _ => tracing::info!(code = refusal.code, "refused"),
    }
}

/// What is logged while a request is served says which one it is.
pub(super) fn span(headers: &HeaderMap) -> tracing::Span {
    let request = answer::text(headers, answer::REQUEST).map_or_else(answer::drawn_id, str::to_owned);
    let session = answer::text(headers, answer::SESSION).unwrap_or_default();
    tracing::info_span!("request", requestId = request, sessionId = session)
}

async fn answer<G: Graph>(
    house: &Arc<House<G>>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    // Read to its end before anything is refused: a client that is still sending would see a broken pipe.
    let bytes = payload::read(body).await;
    let caller = Caller::of(house, headers).await?;
    let call = Call::read(house, &caller, payload::parse(&bytes?)?)?;
    let session = call.session.clone();
    // The caller need not have said it.
    tracing::Span::current().record("sessionId", session.as_str());
    let mut response = if wants_events(headers) {
        stream::answer(house, call).await?
    } else {
        answer::json(StatusCode::OK, &call.run(house).await?)
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
