//! What is asked and answered on one connection.

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

/// How long a connection on which nothing is asked is kept once the server is to stop.
const LEAVE: Duration = Duration::from_secs(1);

/// A connection on which something is asked.
pub(super) struct Asking {
    pub(super) stream: std::net::TcpStream,
    pub(super) connection: Arc<Connection>,
    /// What it has said so far: the head of its first request, and perhaps more.
    pub(super) said: Vec<u8>,
}

/// What is needed for all that is asked on a connection.
pub(super) struct Conversation {
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Conversation {
    /// Reads requests and answers them until either side has had enough. Why a connection ends is its client's affair.
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

/// Waits until a connection has been asked nothing for a while.
async fn idle(connection: &Connection) {
    loop {
        tokio::time::sleep(LEAVE).await;
        if connection.is_waiting() {
            return;
        }
    }
}
