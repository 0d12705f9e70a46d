//! The requests and responses of one connection.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpStream, sync::watch};

use super::{
    connections::Connection,
    limits::Limits,
    request_head::{self, PrefixedStream},
    write_timeout::WriteTimeout,
};

/// The time for which an idle connection is kept open after the server was told to stop.
const SHUTDOWN_POLL: Duration = Duration::from_secs(1);

/// A connection whose first request has begun.
pub(crate) struct PendingConnection {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) connection: Arc<Connection>,
    /// The bytes read so far: the head of the first request, and possibly more.
    pub(crate) head: Vec<u8>,
}

/// The shared context for serving a connection.
pub(crate) struct ConnectionHandler {
    pub(crate) router: Router,
    pub(crate) limits: Limits,
    pub(crate) stopped: watch::Receiver<bool>,
}

impl ConnectionHandler {
    /// Serves the requests of a connection until either side closes it. Its I/O errors are caused by the client and are
    /// not reported.
    pub(crate) async fn serve(self, pending: PendingConnection) {
        let PendingConnection { stream, connection, head } = pending;
        let Self { router, limits, mut stopped } = self;
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        let _ = stream.set_nodelay(true);
        let io = TokioIo::new(WriteTimeout::new(PrefixedStream::new(head, stream), limits.response));
        let (router, shared) = (TowerToHyperService::new(router), Arc::clone(&connection));
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Arc::clone(&shared));
            router.call(request)
        });
        let mut serving = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.headers)
                .max_header_size(request_head::MAX_BYTES)
                .serve_connection(io, service)
                .with_upgrades()
        );
        tokio::select! {
            biased;
            () = connection.closed() => return,
            _ = &mut serving => return,
            _ = stopped.wait_for(|stopped| *stopped) => serving.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = &mut serving => {}
            () = until_idle(&connection) => {}
        }
    }
}

/// Waits until a connection is idle, checking every [`SHUTDOWN_POLL`].
async fn until_idle(connection: &Connection) {
    loop {
        tokio::time::sleep(SHUTDOWN_POLL).await;
        if connection.is_idle() {
            return;
        }
    }
}
