//! Responses, and the headers of requests.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::Stream;
use serde::Serialize;

use crate::api::ApiError;

/// The header with the session that a request belongs to.
pub(crate) const SESSION: &str = "x-amzn-bedrock-agentcore-runtime-session-id";
/// The header with the caller's ID of the request.
pub(crate) const REQUEST: &str = "x-amzn-bedrock-agentcore-runtime-request-id";

pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    // Serialization cannot fail: the values are our own types, whose keys are strings.
    let body = serde_json::to_vec(value).unwrap_or_else(|_| br#"{"error":"internal"}"#.to_vec());
    let mut response = json_bytes(body);
    *response.status_mut() = status;
    response
}

/// Returns a response with a body that is JSON already.
pub(crate) fn json_bytes(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(crate) fn error(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, error);
    if status == StatusCode::UNAUTHORIZED {
        // RFC 6750, section 3.
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response.extensions_mut().insert(error.clone());
    response
}

/// Returns a stream of server-sent events as a response.
pub(crate) fn sse(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

/// Returns a span that identifies the request in everything logged while it is served.
pub(crate) fn span(headers: &HeaderMap) -> tracing::Span {
    let request = id(headers, REQUEST).map_or_else(random_id, str::to_owned);
    let session = id(headers, SESSION).unwrap_or_default();
    tracing::info_span!("request", requestId = request, sessionId = session)
}

/// Returns a header's value if it is safe to log as an ID: ASCII letters, digits, `-`, `_`, `.` and `:`, at most 256
/// characters, which is as long as the service's own IDs get.
pub(crate) fn id<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    text(headers, name).filter(|id| is_id(id))
}

/// Returns whether a text is safe to log as an ID.
pub(crate) fn is_id(text: &str) -> bool {
    const MAX_LEN: usize = 256;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    text.len() <= MAX_LEN && text.chars().all(is_plain)
}

/// Returns a header's trimmed value if it is text and not empty.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|text| !text.is_empty())
}

/// Generates an ID for a request that came without one, as a UUID of version 4 (RFC 9562). The randomness comes from
/// the operating system: the state of a generator in this process would repeat after the process is restored from a
/// snapshot.
pub(crate) fn random_id() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        return "unknown".to_owned();
    }
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
