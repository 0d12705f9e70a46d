//! Checks of a request's `Host`, origin and peer address, before anything else reads the request.
//!
//! A browser lets any page send requests to any address, including this server's, and names the page in `Origin` and
//! `Sec-Fetch-Site`. A hostname that such a page chose may resolve to this machine (DNS rebinding), and then the
//! browser takes the page for one of the same origin; the hostname is in `Host`.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header,
        uri::{Authority, Scheme},
    },
    middleware::Next,
    response::Response,
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{AppState, payload, response};
use crate::api::ApiError;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The rules for admitting requests.
#[derive(Clone, Default)]
pub(crate) struct RequestGuard {
    /// `true` if the server listens on a loopback address only.
    pub(crate) loopback_only: bool,
    /// `true` if only callers on this machine are served, regardless of the listening address.
    pub(crate) local_callers_only: bool,
    /// The allowed origins of pages, such as `https://desk.example`.
    pub(crate) origins: BTreeSet<String>,
}

/// Rejects inadmissible requests before any other handler runs.
pub(crate) async fn enforce(State(state): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    match state.guard.check(&request) {
        Ok(()) => next.run(request).await,
        Err(mut error) => {
            let (head, body) = request.into_parts();
            if head.uri.path().starts_with("/runtimes/") {
                // The member in which the service's SDKs look for the text of an error.
                error = error.clone().detail("message", error.message.clone());
            }
            payload::drain(body, state.limits.body).await;
            response::error(&error)
        }
    }
}

impl RequestGuard {
    /// Returns the layer that lets the pages of the allowed origins read replies, and answers a browser that asks
    /// before a request (the CORS protocol of the Fetch standard). `None` without an allowed origin.
    pub(super) fn cross_origin(&self) -> Option<CorsLayer> {
        // `*` is no origin, and allows none.
        let origins = self.origins.iter().filter(|origin| *origin != "*");
        let origins = origins.map(|origin| HeaderValue::from_str(origin));
        let origins: Vec<HeaderValue> = origins.filter_map(Result::ok).collect();
        let layer = CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                HeaderName::from_static("last-event-id"),
            ])
            .max_age(Duration::from_secs(600));
        (!self.origins.is_empty()).then_some(layer)
    }

    fn check(&self, request: &Request) -> Result<(), ApiError> {
        let headers = request.headers();
        let host = host(request.version(), request.uri(), headers)?;
        if self.loopback_only && !is_loopback(host.host()) {
            return Err(ApiError::new(
                403,
                "foreign_host",
                "this server listens on a loopback address, but `Host` is another name: use `localhost` or `127.0.0.1`",
            ));
        }
        // The ping discloses only that the server is up, and changes nothing.
        if request.uri().path() == "/ping" {
            return Ok(());
        }
        let is_near = self.loopback_only || is_local_peer(request);
        let is_local = is_near && is_loopback(host.host()) && !is_forwarded(headers);
        if self.local_callers_only && !is_local {
            return Err(ApiError::new(
                403,
                "foreign_peer",
                "callers without a verified token are accepted only from this machine, and this caller is not known to be \
                 on it, or came through a proxy: verify tokens, serve the router by `into_make_service_with_connect_info::<SocketAddr>()` and call \
                 it as `localhost`, or allow every caller by `let_anyone_decide`",
            ));
        }
        self.check_origin(headers, &host)
    }

    /// Rejects requests that a page of another origin has sent.
    fn check_origin(&self, headers: &HeaderMap, host: &Authority) -> Result<(), ApiError> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let own = match (origins.next(), origins.next()) {
            (None, _) => false,
            (Some(origin), None) => {
                let origin = origin.to_str().unwrap_or_default();
                if self.origins.contains(origin) {
                    return Ok(());
                }
                if !is_own(origin, host) {
                    return Err(foreign_origin());
                }
                true
            }
            (Some(_), Some(_)) => return Err(foreign_origin()),
        };
        let fetched = headers.get_all(FETCH_SITE).iter();
        // `same-origin` only means that the page's origin has the requested hostname, which anyone may own. Unless the
        // host cannot be rebound, `Origin` must confirm it.
        let harmless =
            |site: &[u8]| site == b"none" || site == b"same-origin" && (own || is_fixed(host.host()));
        if fetched.map(|site| site.as_bytes()).all(harmless) { Ok(()) } else { Err(foreign_origin()) }
    }
}

/// Returns whether the request's peer address, as the accepting server recorded it, is a loopback address.
fn is_local_peer(request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
}

/// Returns whether a proxy on this machine may have sent the request for a caller elsewhere.
fn is_forwarded(headers: &HeaderMap) -> bool {
    let names = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    names.iter().any(|name| headers.contains_key(*name))
}

fn foreign_origin() -> ApiError {
    ApiError::new(
        403,
        "foreign_origin",
        "the request was sent by a page of another origin; to allow the origin, add it to HITL_ALLOWED_ORIGINS",
    )
}

/// Returns the host that the request addresses: exactly one `Host`, equal to that of the target if the target has one
/// (RFC 9112, section 3.2).
fn host(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<Authority, ApiError> {
    let invalid = |problem| ApiError::new(400, "invalid_host", problem);
    let mut hosts = headers.get_all(header::HOST).iter();
    let authority = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return Err(invalid("the request has more than one `Host` header")),
        (Some(host), None) => Authority::try_from(host.as_bytes()).ok(),
        // HTTP/2 has it in the target.
        (None, _) if version > Version::HTTP_11 => uri.authority().cloned(),
        (None, _) => return Err(invalid("the request has no `Host` header")),
    };
    let authority =
        authority.filter(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
    let authority = authority.ok_or_else(|| invalid("the `Host` header is not a valid host"))?;
    if uri.authority().is_some_and(|target| *target != authority) {
        return Err(invalid("the `Host` header differs from the host of the request target"));
    }
    Ok(authority)
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || address(host).is_some_and(|address| address.to_canonical().is_loopback())
}

/// Returns whether the host always means the same machine: `localhost` or an IP address, which DNS cannot rebind.
fn is_fixed(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || address(host).is_some()
}

/// Returns whether an origin is that of the requested server. A hostname proves nothing, because its owner controls
/// where it resolves to.
fn is_own(origin: &str, host: &Authority) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (origin.scheme(), origin.authority()) else { return false };
    let default_port = match () {
        () if *scheme == Scheme::HTTP => 80,
        () if *scheme == Scheme::HTTPS => 443,
        () => return false,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default_port);
    is_fixed(host.host())
        && authority.host().eq_ignore_ascii_case(host.host())
        && port(authority) == port(host)
}

/// Rejects a body that a page could send without a CORS preflight. A request with `Authorization` cannot come from a
/// page without one, and AWS's SDKs send no content type by default.
///
/// # Errors
/// 415 if the content type is not JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let json = match (types.next(), types.next()) {
        (Some(one), None) => one.to_str().is_ok_and(|one| {
            one.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        }),
        (None, _) => headers.contains_key(header::AUTHORIZATION),
        (Some(_), Some(_)) => false,
    };
    if json {
        return Ok(());
    }
    Err(ApiError::new(
        415,
        "unsupported_media_type",
        "the content type is not JSON: send the request with `Content-Type: application/json`",
    ))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn code(guard: &RequestGuard, method: &str, headers: &[(&str, &str)]) -> &'static str {
        let mut request = Request::builder().method(method).uri("/invocations");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let checked = guard.check(&request).and_then(|()| match method {
            "POST" => is_json(request.headers()),
            _ => Ok(()),
        });
        checked.map_or_else(|error| error.code, |()| "in")
    }

    #[test]
    fn hosts_origins_and_content_types_are_checked() {
        let loopback_only = RequestGuard {
            loopback_only: true,
            origins: ["https://desk.example".to_owned()].into(),
            ..RequestGuard::default()
        };
        let wide = RequestGuard { loopback_only: false, ..loopback_only.clone() };
        let json = ("content-type", "application/json; charset=utf-8");
        let here = ("host", "127.0.0.1:8080");
        for (guard, headers, expected) in [
            (&loopback_only, &[here, json][..], "in"),
            (&loopback_only, &[("host", "LOCALHOST:8080"), json], "in"),
            (&loopback_only, &[("host", "[::1]:8080"), json], "in"),
            (&loopback_only, &[("host", "127.1.2.3"), json], "in"),
            (&loopback_only, &[("host", "evil.example:8080"), json], "foreign_host"),
            (&loopback_only, &[("host", "localhost.evil.example"), json], "foreign_host"),
            (&loopback_only, &[("host", "0.0.0.0:8080"), json], "foreign_host"),
            (&wide, &[("host", "evil.example:8080"), json], "in"),
            (&loopback_only, &[json], "invalid_host"),
            (&loopback_only, &[here, here, json], "invalid_host"),
            (&loopback_only, &[("host", ""), json], "invalid_host"),
            (&loopback_only, &[("host", "evil@127.0.0.1"), json], "invalid_host"),
            (&loopback_only, &[here, json, ("origin", "https://evil.example")], "foreign_origin"),
            (&loopback_only, &[here, json, ("origin", "null")], "foreign_origin"),
            (&loopback_only, &[here, json, ("origin", "http://127.0.0.1:9090")], "foreign_origin"),
            (&loopback_only, &[here, json, ("origin", "http://localhost:8080")], "foreign_origin"),
            (&loopback_only, &[here, json, ("origin", "http://127.0.0.1:8080")], "in"),
            (&loopback_only, &[here, json, ("origin", "https://desk.example")], "in"),
            (
                &loopback_only,
                &[here, json, ("origin", "https://desk.example"), ("sec-fetch-site", "cross-site")],
                "in",
            ),
            (
                &loopback_only,
                &[here, json, ("origin", "http://127.0.0.1:8080"), ("origin", "https://evil.example")],
                "foreign_origin",
            ),
            // A hostname that resolves to this machine does not make an origin ours.
            (&wide, &[("host", "evil.example"), json, ("origin", "http://evil.example")], "foreign_origin"),
            (&wide, &[("host", "evil.example"), json, ("sec-fetch-site", "same-origin")], "foreign_origin"),
            (&loopback_only, &[here, json, ("sec-fetch-site", "cross-site")], "foreign_origin"),
            (&loopback_only, &[here, json, ("sec-fetch-site", "same-site")], "foreign_origin"),
            (&loopback_only, &[here, json, ("sec-fetch-site", "same-origin")], "in"),
            (&loopback_only, &[here, json, ("sec-fetch-site", "none")], "in"),
            (&loopback_only, &[here], "unsupported_media_type"),
            (&loopback_only, &[here, ("content-type", "text/plain")], "unsupported_media_type"),
            (
                &loopback_only,
                &[here, ("content-type", "application/x-www-form-urlencoded")],
                "unsupported_media_type",
            ),
            (&loopback_only, &[here, json, json], "unsupported_media_type"),
            (&loopback_only, &[here, ("authorization", "AWS4-HMAC-SHA256 …")], "in"),
            (
                &loopback_only,
                &[here, ("authorization", "x"), ("content-type", "text/plain")],
                "unsupported_media_type",
            ),
        ] {
            assert_eq!(code(guard, "POST", headers), expected, "{headers:?}");
        }
        // A WebSocket request has no body, but a page can send one all the same.
        assert_eq!(code(&loopback_only, "GET", &[here]), "in");
        assert_eq!(
            code(&loopback_only, "GET", &[here, ("origin", "https://evil.example")]),
            "foreign_origin"
        );
    }
}
