//! The server of the HTTP API in a process of its own.

use std::{fmt, future::Future, io, net::SocketAddr, sync::Arc};

use axum::Router;
use hitl_runtime::{Front, agent::Graph, plumbing::front_engine};

use super::{Limits, OperatorAuth, with_ping};
use crate::server::{Server, shutdown_signal};

/// A builder for the server of the HTTP API of a front: it shows threads and records what people decide, and runs no
/// node.
///
/// ```no_run
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{Front, http::{HttpApi, OperatorAuth, TokenVerifier}};
///
/// let front = Front::<RefundAgent>::new(SqliteStore::open("tickets.db").await?);
/// let tokens = TokenVerifier::from_url("https://login.example/keys")?;
/// let tokens = tokens.issuer("https://login.example").audience("refunds");
/// let served = HttpApi::new(front).operators(OperatorAuth::verified(tokens));
/// served.serve(([0, 0, 0, 0], 8080).into()).await?;
/// # Ok(())
/// # }
/// ```
pub struct HttpApi {
    server: Server,
}

impl HttpApi {
    /// Creates a server that accepts no verdicts until [`operators`](Self::operators) is set.
    pub fn new<G: Graph>(front: Front<G>) -> Self {
        let mut server = Server::new(Arc::clone(front_engine(&front)));
        server.stands_alone = true;
        Self { server }
    }

    /// Sets the source of the operators whose verdicts are accepted.
    #[must_use]
    pub fn operators(mut self, operators: OperatorAuth) -> Self {
        self.server.state.operators = operators;
        self
    }

    /// Lets everyone who can reach the server read every thread, and sign in any name if operators are
    /// [`claimed`](OperatorAuth::claimed), even on an address that other machines reach. For a server behind one that
    /// authenticates its callers.
    #[must_use]
    pub fn let_anyone_decide(mut self) -> Self {
        self.server.anyone_decides = true;
        self
    }

    /// Allows requests from the pages of an origin, such as `https://desk.example`. All requests from pages of other
    /// origins are rejected.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.server.allow_origin(origin.into());
        self
    }

    /// Sets the maximum size of a request in bytes. The default is 1 MiB.
    #[must_use]
    pub fn max_request_bytes(mut self, bytes: usize) -> Self {
        self.server.state.max_bytes = bytes;
        self
    }

    /// Sets the limits on the resources that clients may take, and the timeouts.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.server.set_limits(limits);
        self
    }

    /// Returns the routes, for a program with its own server, which must do what `AgentCore::router` lists. Unless
    /// tokens are verified, or [`let_anyone_decide`](Self::let_anyone_decide) is set, they serve only callers on this
    /// machine.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use hitl::http::HttpApi;
    ///
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// // In the agent's own process: what people decide wakes it.
    /// let app: axum::Router = HttpApi::new(agent.front()).router();
    /// # let _ = app;
    /// # }
    /// ```
    pub fn router(self) -> Router {
        self.server.router(with_ping())
    }

    /// Serves on an address until SIGTERM or Ctrl-C, then waits at most 20 s for the requests that are in flight.
    ///
    /// # Errors
    /// If it cannot listen on the address, or if other machines reach the address and no tokens are verified: see
    /// [`let_anyone_decide`](Self::let_anyone_decide).
    pub async fn serve(self, address: SocketAddr) -> io::Result<()> {
        let listener = std::net::TcpListener::bind(address)?;
        self.serve_until(listener, shutdown_signal()).await
    }

    /// Serves as [`serve`](Self::serve) does, on an open listener and until `stop` resolves.
    ///
    /// # Errors
    /// As [`HttpApi::serve`].
    pub async fn serve_until(
        self,
        listener: std::net::TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        self.server.serve_until(with_ping(), listener, stop).await
    }
}

impl fmt::Debug for HttpApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpApi").field("anyone_decides", &self.server.anyone_decides).finish_non_exhaustive()
    }
}
