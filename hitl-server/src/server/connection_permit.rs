//! Counting the requests that another server has accepted, so that the limits apply to them too.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

use super::{
    AppState,
    connections::{Connection, busy},
    response,
};

/// Counts a request as a connection, unless it came on a connection that is already counted. A ping is not counted.
pub(crate) async fn acquire(
    State(state): State<Arc<AppState>>,
    mut request: Request,
    next: Next,
) -> Response {
    if request.extensions().get::<Arc<Connection>>().is_some() || request.uri().path() == "/ping" {
        return next.run(request).await;
    }
    let connection = state.connections.register();
    request.extensions_mut().insert(Arc::clone(&connection));
    tokio::select! {
        biased;
        () = connection.closed() => response::error(&busy("requests")),
        answered = next.run(request) => answered,
    }
}
