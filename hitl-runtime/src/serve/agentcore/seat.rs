//! Counting the requests that another server has accepted, so that the limits apply to them too.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

use super::{
    House, answer,
    connections::{Connection, busy},
};
use crate::run::Graph;

/// Counts a request as a connection, unless it came on a connection that is already counted. A ping is not counted.
pub(super) async fn take<G: Graph>(
    State(house): State<Arc<House<G>>>,
    mut request: Request,
    next: Next,
) -> Response {
    if request.extensions().get::<Arc<Connection>>().is_some() || request.uri().path() == "/ping" {
        return next.run(request).await;
    }
    let seat = house.connections.enter();
    request.extensions_mut().insert(Arc::clone(&seat));
    tokio::select! {
        biased;
        () = seat.cut() => answer::refused(&busy("requests")),
        response = next.run(request) => response,
    }
}
