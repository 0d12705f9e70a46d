//! The server of the container, and its graceful shutdown.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{runtime::Handle, sync::oneshot};

use super::{Routes, Server, accept, with_checks};

/// The time to wait for running threads when the server stops. A thread that is cut off is continued by another
/// container from its journal.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

impl Server {
    /// Serves routes on an open listener until `stop` resolves, then waits at most 20 s for the requests and threads
    /// that are running. Nodes run on the current runtime, and requests are answered on a dedicated thread.
    ///
    /// # Errors
    /// If the listener fails, or if other machines reach its address and everyone could decide.
    pub(crate) async fn serve_until(
        mut self,
        routes: Routes,
        listener: std::net::TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let address = listener.local_addr()?;
        self.check_address(address)?;
        listener.set_nonblocking(true)?;
        let engine = Arc::clone(&self.state.engine);
        self.state.workers = Some(Handle::current());
        self.state.guard.loopback_only = is_loopback(address);
        // A proxy on this machine may send what comes from elsewhere.
        self.state.guard.local_callers_only = self.serves_unknown_callers();
        tracing::info!(%address, "serving {}", engine.graph.spec.name);
        let (stopping, stopped) = oneshot::channel::<()>();
        let (ending, ended) = oneshot::channel();
        std::thread::Builder::new().name("hitl-http".to_owned()).spawn(move || {
            let _ = ending.send(self.answer_requests(routes, listener, stopped));
        })?;
        let mut ended = ended
            .map(|ended| ended.unwrap_or_else(|_| Err(io::Error::other("the server's thread panicked"))));
        tokio::select! {
            // The server has failed and no longer listens.
            ended = &mut ended => return ended,
            () = stop => {}
        }
        tracing::info!("stopping");
        engine.stop_background();
        let _ = stopping.send(());
        let drain = async {
            let answered = ended.await;
            engine.wait_idle().await;
            answered
        };
        match tokio::time::timeout(SHUTDOWN_TIMEOUT, drain).await {
            Ok(answered) => answered,
            Err(_) => {
                tracing::warn!(
                    "shutdown timed out while threads were running; another process continues them from their journals"
                );
                Ok(())
            }
        }
    }

    /// Answers requests on the current thread until `stopped` resolves, then completes the requests in flight.
    fn answer_requests(
        self,
        routes: Routes,
        listener: std::net::TcpListener,
        stopped: oneshot::Receiver<()>,
    ) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let state = Arc::new(self.state);
        let (connections, limits) = (Arc::clone(&state.connections), state.limits.clone());
        runtime.block_on(async {
            let router = with_checks(routes, Arc::clone(&state));
            let stop = async {
                let _ = stopped.await;
                state.stopping.send_replace(true);
            };
            accept::serve(listener, router, connections, &limits, stop).await
        })
    }

    /// Rejects an address on which everyone could decide, unless that is allowed.
    ///
    /// # Errors
    /// If operators are claimed, other machines reach the address, and `let_anyone_decide` is not
    /// set.
    pub(crate) fn check_address(&self, address: SocketAddr) -> io::Result<()> {
        if is_loopback(address) || !self.serves_unknown_callers() {
            return Ok(());
        }
        let (rule, could) = match self.state.operators.lets_anyone_decide() {
            true => ("claimed operators are accepted", "sign in any name"),
            false => ("no tokens are verified", "read every thread"),
        };
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "{rule}, and other machines can reach {address}: everyone who reaches it could {could}; listen on \
                 127.0.0.1, verify tokens (HITL_JWKS_URL), or allow this by --let-anyone-decide, \
                 HITL_LET_ANYONE_DECIDE=1 or `let_anyone_decide`"
            ),
        ))
    }
}

/// Returns whether only this machine reaches an address.
fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Waits until the process receives SIGTERM or Ctrl-C.
pub(crate) async fn shutdown_signal() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        else {
            let _ = interrupted.await;
            return;
        };
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted => {}
        }
    }
    #[cfg(not(unix))]
    let _ = interrupted.await;
}
