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

use super::{AppState, connections::Connection, forwarded_headers::forwarded, response};
use crate::{api::ApiError, identity::Caller};

impl AppState {
    /// Runs a future on the runtime that executes nodes, so that it does not delay pings.
    pub(crate) async fn work<T: Send + 'static, E: From<ApiError> + Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E> {
        self.workers().spawn(work.in_current_span()).await.unwrap_or_else(|_| {
            Err(ApiError::new(500, "internal", "internal error: get the status of the thread").into())
        })
    }
}

impl AppState {
    /// Identifies the caller. Tokens are verified on the runtime that executes nodes.
    pub(crate) async fn caller(
        self: &Arc<Self>,
        headers: HeaderMap,
        channel: &'static str,
    ) -> Result<Caller, ApiError> {
        let state = Arc::clone(self);
        self.work(async move {
            let session = response::text(&headers, response::SESSION).map(str::to_owned);
            let now = state.engine.now();
            let caller = Caller::from_headers(&state.operators, &headers, session, channel, now).await?;
            Ok(caller.with_forwarded(forwarded(&headers)))
        })
        .await
    }
}

/// A guard of a request in flight on a connection: dropping it ends the request.
pub(crate) struct InFlight(Arc<Connection>);

impl InFlight {
    pub(crate) fn begin(connection: &Arc<Connection>) -> Self {
        connection.begin_body();
        Self(Arc::clone(connection))
    }

    /// Returns the response, whose body ends the request when it is dropped.
    pub(crate) fn until_sent(self, response: Response) -> Response {
        response.map(|body| Body::new(InFlightBody { body, _in_flight: self }))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.end_request();
    }
}

/// A response body that holds the guard of its request.
struct InFlightBody {
    body: Body,
    _in_flight: InFlight,
}

impl HttpBody for InFlightBody {
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
