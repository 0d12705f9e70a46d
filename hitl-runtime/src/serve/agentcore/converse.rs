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
    head::{self, Begun},
    limits::Limits,
    stall::Stalling,
};

/// The time for which an idle connection is kept open after the server was told to stop.
const LEAVE: Duration = Duration::from_secs(1);

/// A connection whose first request has begun.
pub(super) struct Asking {
    pub(super) stream: std::net::TcpStream,
    pub(super) connection: Arc<Connection>,
    /// The bytes read so far: the head of the first request, and possibly more.
    pub(super) said: Vec<u8>,
}

/// The shared context for serving a connection.
pub(super) struct Conversation {
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Conversation {
    /// Serves the requests of a connection until either side closes it. Its I/O errors are caused by the client and are
    /// not reported.
    pub(super) async fn hold(self, asking: Asking) {
        let Asking { stream, connection, said } = asking;
        let Self { router, limits, mut stopped } = self;
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        let _ = stream.set_nodelay(true);
        let io = TokioIo::new(Stalling::new(Begun::new(said, stream), limits.answer));
        let (router, on) = (TowerToHyperService::new(router), Arc::clone(&connection));
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Arc::clone(&on));
            router.call(request)
        });
        let mut serving = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.headers)
                .max_header_size(head::LARGEST)
                .serve_connection(io, service)
                .with_upgrades()
        );
        tokio::select! {
            biased;
            () = connection.cut() => return,
            _ = &mut serving => return,
            _ = stopped.wait_for(|stopped| *stopped) => serving.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = &mut serving => {}
            () = idle(&connection) => {}
        }
    }
}

/// Waits until a connection is idle, looking every [`LEAVE`].
async fn idle(connection: &Connection) {
    loop {
        tokio::time::sleep(LEAVE).await;
        if connection.is_waiting() {
            return;
        }
    }
}
