//! Checks of a request's `Host`, origin and peer address, before anything else reads the request.
//!
//! A browser lets any page send requests to any address, including this server's, and names the page in `Origin` and
//! `Sec-Fetch-Site`. A hostname that such a page chose may resolve to this machine (DNS rebinding), and then the
//! browser takes the page for one of the same origin; the hostname is in `Host`.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, HeaderName, Uri, Version, header,
        uri::{Authority, Scheme},
    },
    middleware::Next,
    response::Response,
};

use super::{House, answer, payload};
use crate::{run::Graph, serve::wire::Refusal};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The rules for admitting requests.
#[derive(Clone, Default)]
pub(super) struct Door {
    /// `true` if the server listens on a loopback address only.
    pub(super) local: bool,
    /// `true` if only callers on this machine are served, regardless of the listening address.
    pub(super) near: bool,
    /// The allowed origins of pages, such as `https://desk.example`.
    pub(super) origins: BTreeSet<String>,
}

/// Rejects inadmissible requests before any other handler runs.
pub(super) async fn guard<G: Graph>(
    State(house): State<Arc<House<G>>>,
    request: Request,
    next: Next,
) -> Response {
    match house.door.admit(&request) {
        Ok(()) => next.run(request).await,
        Err(mut refusal) => {
            let (head, body) = request.into_parts();
            if head.uri.path().starts_with("/runtimes/") {
                // The member in which the service's SDKs look for the text of an error.
                refusal = refusal.clone().detail("message", refusal.message.clone());
            }
            payload::drain(body, house.limits.body).await;
            answer::refused(&refusal)
        }
    }
}

impl Door {
    fn admit(&self, request: &Request) -> Result<(), Refusal> {
        let headers = request.headers();
        let host = host(request.version(), request.uri(), headers)?;
        if self.local && !is_loopback(host.host()) {
            return Err(Refusal::new(
                403,
                "foreign_host",
                "this server listens on this machine alone, and is asked by another name: ask `localhost` or `127.0.0.1`",
            ));
        }
        // The ping discloses only that the server is up, and changes nothing.
        if request.uri().path() == "/ping" {
            return Ok(());
        }
        if self.near && !(is_near(request) && is_loopback(host.host())) {
            return Err(Refusal::new(
                403,
                "foreign_peer",
                "operators are taken here as they are claimed, and this caller is not known to be on this machine: verify \
                 tokens, serve the router with the addresses of its peers \
                 (`into_make_service_with_connect_info::<SocketAddr>()`) and ask it as `localhost`, or say that this is \
                 meant: `AgentCore::let_anyone_decide`",
            ));
        }
        self.from(headers, &host)
    }

    /// Rejects requests that a page of another origin has sent.
    fn from(&self, headers: &HeaderMap, host: &Authority) -> Result<(), Refusal> {
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
fn is_near(request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
}

fn foreign_origin() -> Refusal {
    Refusal::new(
        403,
        "foreign_origin",
        "a page of another origin may not ask here; if it is yours, name its origin in HITL_ALLOWED_ORIGINS",
    )
}

/// Returns the host that the request addresses: exactly one `Host`, equal to that of the target if the target has one
/// (RFC 9112, section 3.2).
fn host(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<Authority, Refusal> {
    let invalid = |problem| Refusal::new(400, "invalid_host", problem);
    let mut hosts = headers.get_all(header::HOST).iter();
    let said = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return Err(invalid("the request has more than one `Host`")),
        (Some(host), None) => Authority::try_from(host.as_bytes()).ok(),
        // HTTP/2 has it in the target.
        (None, _) if version > Version::HTTP_11 => uri.authority().cloned(),
        (None, _) => return Err(invalid("the request has no `Host`")),
    };
    let said = said.filter(|said| !said.as_str().contains('@') && !said.host().is_empty());
    let said = said.ok_or_else(|| invalid("the request's `Host` is no host"))?;
    if uri.authority().is_some_and(|target| *target != said) {
        return Err(invalid("the request's `Host` is not that of its target"));
    }
    Ok(said)
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
    let usual = match () {
        () if *scheme == Scheme::HTTP => 80,
        () if *scheme == Scheme::HTTPS => 443,
        () => return false,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(usual);
    is_fixed(host.host())
        && authority.host().eq_ignore_ascii_case(host.host())
        && port(authority) == port(host)
}

/// Rejects a body that a page could send without a CORS preflight. A request with `Authorization` cannot come from a
/// page without one, and AWS's SDKs send no content type by default.
///
/// # Errors
/// 415 if the content type is not JSON.
pub(super) fn is_json(headers: &HeaderMap) -> Result<(), Refusal> {
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
    Err(Refusal::new(
        415,
        "unsupported_media_type",
        "a request is JSON, and says so: send it with `Content-Type: application/json`",
    ))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn code(door: &Door, method: &str, headers: &[(&str, &str)]) -> &'static str {
        let mut request = Request::builder().method(method).uri("/invocations");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let asked = door.admit(&request).and_then(|()| match method {
            "POST" => is_json(request.headers()),
            _ => Ok(()),
        });
        asked.map_or_else(|refusal| refusal.code, |()| "in")
    }

    #[test]
    fn who_asks_and_from_where_is_told_apart() {
        let local =
            Door { local: true, origins: ["https://desk.example".to_owned()].into(), ..Door::default() };
        let wide = Door { local: false, ..local.clone() };
        let json = ("content-type", "application/json; charset=utf-8");
        let here = ("host", "127.0.0.1:8080");
        for (door, headers, expected) in [
            (&local, &[here, json][..], "in"),
            (&local, &[("host", "LOCALHOST:8080"), json], "in"),
            (&local, &[("host", "[::1]:8080"), json], "in"),
            (&local, &[("host", "127.1.2.3"), json], "in"),
            (&local, &[("host", "evil.example:8080"), json], "foreign_host"),
            (&local, &[("host", "localhost.evil.example"), json], "foreign_host"),
            (&local, &[("host", "0.0.0.0:8080"), json], "foreign_host"),
            (&wide, &[("host", "evil.example:8080"), json], "in"),
            (&local, &[json], "invalid_host"),
            (&local, &[here, here, json], "invalid_host"),
            (&local, &[("host", ""), json], "invalid_host"),
            (&local, &[("host", "evil@127.0.0.1"), json], "invalid_host"),
            (&local, &[here, json, ("origin", "https://evil.example")], "foreign_origin"),
            (&local, &[here, json, ("origin", "null")], "foreign_origin"),
            (&local, &[here, json, ("origin", "http://127.0.0.1:9090")], "foreign_origin"),
            (&local, &[here, json, ("origin", "http://localhost:8080")], "foreign_origin"),
            (&local, &[here, json, ("origin", "http://127.0.0.1:8080")], "in"),
            (&local, &[here, json, ("origin", "https://desk.example")], "in"),
            (
                &local,
                &[here, json, ("origin", "https://desk.example"), ("sec-fetch-site", "cross-site")],
                "in",
            ),
            (
                &local,
                &[here, json, ("origin", "http://127.0.0.1:8080"), ("origin", "https://evil.example")],
                "foreign_origin",
            ),
            // A hostname that resolves to this machine does not make an origin ours.
            (&wide, &[("host", "evil.example"), json, ("origin", "http://evil.example")], "foreign_origin"),
            (&wide, &[("host", "evil.example"), json, ("sec-fetch-site", "same-origin")], "foreign_origin"),
            (&local, &[here, json, ("sec-fetch-site", "cross-site")], "foreign_origin"),
            (&local, &[here, json, ("sec-fetch-site", "same-site")], "foreign_origin"),
            (&local, &[here, json, ("sec-fetch-site", "same-origin")], "in"),
            (&local, &[here, json, ("sec-fetch-site", "none")], "in"),
            (&local, &[here], "unsupported_media_type"),
            (&local, &[here, ("content-type", "text/plain")], "unsupported_media_type"),
            (
                &local,
                &[here, ("content-type", "application/x-www-form-urlencoded")],
                "unsupported_media_type",
            ),
            (&local, &[here, json, json], "unsupported_media_type"),
            (&local, &[here, ("authorization", "AWS4-HMAC-SHA256 …")], "in"),
            (
                &local,
                &[here, ("authorization", "x"), ("content-type", "text/plain")],
                "unsupported_media_type",
            ),
        ] {
            assert_eq!(code(door, "POST", headers), expected, "{headers:?}");
        }
        // A WebSocket request has no body, but a page can send one all the same.
        assert_eq!(code(&local, "GET", &[here]), "in");
        assert_eq!(code(&local, "GET", &[here, ("origin", "https://evil.example")]), "foreign_origin");
    }
}
