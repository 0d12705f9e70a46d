//! The paths of the HTTP API.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{OriginalUri, RawQuery, State},
    http::{HeaderMap, Method},
    response::Response,
    routing::{MethodRouter, get, post},
};

use super::{
    events,
    exchange::{Exchange, Members},
    openapi,
    payload::{PathMembers, Route, members_of_query},
};
use crate::{
    api::ApiError,
    server::{AppState, ConnectionExtension, Routes, ping, response},
};

type Shared = State<Arc<AppState>>;
type Handlers = MethodRouter<Arc<AppState>>;

/// Returns the paths of the HTTP API.
pub(crate) fn routes() -> Routes {
    let of_thread = |action: &'static str| post_to_thread(move |thread| Route::new(action).thread(thread));
    let mut api = Router::new()
        .route("/openapi.json", get(openapi::document))
        .route("/reviews", get_all("inbox"))
        .route("/threads", get_all("threads").merge(post_all(Route::start())))
        .route("/threads/{thread}", get_of_thread("get"))
        .route("/threads/{thread}/history", get_of_thread("history"))
        .route("/threads/{thread}/events", get(events::events))
        .route("/threads/{thread}/verdicts", post_to_thread(Route::verdicts))
        .route("/threads/{thread}/resume", of_thread("resume"))
        .route("/threads/{thread}/pause", of_thread("pause"))
        .route("/threads/{thread}/unpause", of_thread("unpause"))
        .route("/threads/{thread}/cancel", of_thread("cancel"))
        .route(
            "/threads/{thread}/reviews/{digest}/preview",
            post_with_digest(|thread, digest| Route::with_verdict("preview").thread(thread).digest(digest)),
        )
        .route("/threads/{thread}/reviews/{digest}/verdict", post_with_digest(Route::verdict))
        .route(
            "/threads/{thread}/effects/{digest}/settlement",
            post_with_digest(|thread, digest| Route::new("settle").thread(thread).digest(digest)),
        )
        .route("/batches", post_all(Route::with_verdict("batch")))
        .route("/metrics", get_all("metrics"))
        .route("/stops", get_all("stops"));
    for scope in ["graph", "store"] {
        for action in ["pause", "unpause", "cancel"] {
            api = api.route(&format!("/{scope}/{action}"), post_all(Route::new(action).scope(scope)));
        }
    }
    Router::new().nest("/v1", api.fallback(no_such_path).method_not_allowed_fallback(no_such_method))
}

/// Returns the paths of a server that has only the HTTP API, with the ping of a load balancer.
pub(crate) fn with_ping() -> Routes {
    let paths = Router::new().route("/ping", get(ping::ping)).merge(routes());
    paths.fallback(no_such_path).method_not_allowed_fallback(no_such_method)
}

/// Reads by a query that is about no thread.
fn get_all(action: &'static str) -> Handlers {
    get(async move |state: Shared, connection: ConnectionExtension, headers: HeaderMap, query: RawQuery| {
        let members = members_of_query(query.0.as_deref().unwrap_or_default());
        answer(state, connection, headers, Route::new(action), members.map(Members::Query)).await
    })
}

/// Reads a thread by a query.
fn get_of_thread(action: &'static str) -> Handlers {
    let handler = async move |PathMembers(thread): PathMembers<String>,
                              state: Shared,
                              connection: ConnectionExtension,
                              headers: HeaderMap,
                              query: RawQuery| {
        let members = members_of_query(query.0.as_deref().unwrap_or_default());
        let route = Route::new(action).thread(thread);
        answer(state, connection, headers, route, members.map(Members::Query)).await
    };
    get(handler)
}

fn post_all(route: Route) -> Handlers {
    post(async move |state: Shared, connection: ConnectionExtension, headers: HeaderMap, body: Body| {
        answer(state, connection, headers, route, Ok(Members::Body(body))).await
    })
}

fn post_to_thread(route: impl Fn(String) -> Route + Clone + Send + Sync + 'static) -> Handlers {
    let handler = async move |PathMembers(thread): PathMembers<String>,
                              state: Shared,
                              connection: ConnectionExtension,
                              headers: HeaderMap,
                              body: Body| {
        answer(state, connection, headers, route(thread), Ok(Members::Body(body))).await
    };
    post(handler)
}

fn post_with_digest(route: fn(String, String) -> Route) -> Handlers {
    let handler = async move |PathMembers((thread, digest)): PathMembers<(String, String)>,
                              state: Shared,
                              connection: ConnectionExtension,
                              headers: HeaderMap,
                              body: Body| {
        answer(state, connection, headers, route(thread, digest), Ok(Members::Body(body))).await
    };
    post(handler)
}

async fn answer(
    State(state): Shared,
    connection: ConnectionExtension,
    headers: HeaderMap,
    route: Route,
    members: Result<Members, ApiError>,
) -> Response {
    Exchange::new(state, connection, headers).answer(route, members).await
}

async fn no_such_path(OriginalUri(uri): OriginalUri) -> Response {
    let problem = match uri.path().len() {
        0..=200 => format!("there is no path `{}`; /v1/openapi.json describes the paths", uri.path()),
        _ => "there is no such path; /v1/openapi.json describes the paths".to_owned(),
    };
    response::error(&ApiError::new(404, "no_such_path", problem))
}

async fn no_such_method(method: Method) -> Response {
    let problem = format!("this path does not accept `{method}`; `Allow` names the methods that it accepts");
    response::error(&ApiError::new(405, "no_such_method", problem))
}
