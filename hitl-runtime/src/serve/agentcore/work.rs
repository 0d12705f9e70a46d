//! Executing work on the runtime that executes nodes, and tracking the requests in flight on a connection.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    http::HeaderMap,
    response::Response,
};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tracing::Instrument as _;

use super::{House, connections::Connection, identity::Caller};
use crate::{run::Graph, serve::wire::Refusal};

impl<G: Graph> House<G> {
    /// Runs a future on the runtime that executes nodes, so that it does not delay pings.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.workers().spawn(work.in_current_span()).await.unwrap_or_else(|_| {
            Err(Refusal::new(
                500,
                "internal",
                "this container failed in the middle; ask how the thread stands",
            ))
        })
    }
}

impl<G: Graph> House<G> {
    /// Identifies the caller. Tokens are verified on the runtime that executes nodes.
    pub(super) async fn caller(
        self: &Arc<Self>,
        headers: HeaderMap,
        channel: &'static str,
    ) -> Result<Caller, Refusal> {
        let house = Arc::clone(self);
        self.work(async move { Caller::of(&house, &headers, channel).await }).await
    }
}

/// A guard of a request in flight on a connection: dropping it ends the request.
pub(super) struct Underway(Arc<Connection>);

impl Underway {
    pub(super) fn begin(connection: &Arc<Connection>) -> Self {
        connection.reads();
        Self(Arc::clone(connection))
    }

    /// Returns the response, whose body ends the request when it is dropped.
    pub(super) fn until_sent(self, response: Response) -> Response {
        response.map(|body| Body::new(Sent { body, _underway: self }))
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.waits();
    }
}

/// A response body that holds the guard of its request.
struct Sent {
    body: Body,
    _underway: Underway,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
