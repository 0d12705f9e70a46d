//! A place for each request that another server has accepted, so that what is bounded here is bounded there too.

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

/// Counts a request as a connection, unless it came on one that is counted. A ping takes no place.
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
