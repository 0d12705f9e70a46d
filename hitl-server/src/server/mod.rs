//! The HTTP server that the APIs share: connections and their limits, the check of each request, and its execution.

mod accept;
mod authenticated;
mod background;
mod connection_handler;
mod connection_permit;
mod connections;
mod environment;
mod forwarded_headers;
mod json_limits;
mod limits;
mod log;
pub(crate) mod payload;
pub(crate) mod ping;
pub(crate) mod receive;
mod refusal;
mod request_guard;
mod request_head;
pub(crate) mod response;
mod serve;
mod sweep;
mod workers;
mod write_timeout;

use std::sync::{Arc, OnceLock};

use axum::{Extension, Router, body::Bytes};
use hitl_runtime::{Timestamp, plumbing::Engine};
use tokio::{runtime::Handle, sync::watch};

#[cfg(all(test, feature = "agentcore"))]
pub(crate) use self::background::Background;
#[doc(hidden)]
pub use self::environment::{ServeError, serve, serve_front};
#[cfg(feature = "agentcore")]
pub use self::forwarded_headers::workload_access_token;
pub(crate) use self::{
    authenticated::AuthenticatedRequest,
    connections::{Connection, Execution},
    receive::Received,
    refusal::Refusal,
    serve::shutdown_signal,
};
use self::{connections::Connections, request_guard::RequestGuard};
pub use self::{limits::Limits, log::log_as_json};
use crate::identity::OperatorAuth;

/// The connection of a request, if this server accepted it.
pub(crate) type ConnectionExtension = Option<Extension<Arc<Connection>>>;

/// The routes of a server, which answer with its state.
pub(crate) type Routes = Router<Arc<AppState>>;

/// A server with its settings: the APIs add their routes to it.
pub(crate) struct Server {
    pub(crate) state: AppState,
    /// `true` if everyone who can reach the server may decide.
    pub(crate) anyone_decides: bool,
    /// `true` if no service in front of it authenticates its callers, as AgentCore does.
    pub(crate) stands_alone: bool,
}

impl Server {
    /// Creates a server that accepts no verdicts until its operators are set.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let since = engine.now();
        let limits = Limits::default();
        let connections = Connections::new(&limits);
        let state = AppState {
            engine,
            operators: OperatorAuth::default(),
            guard: RequestGuard::default(),
            max_bytes: payload::MAX_BYTES,
            limits,
            connections,
            workers: None,
            since,
            background: background::Background::default(),
            behind_service: false,
            own_threads: Arc::default(),
            sweeping: tokio::sync::Mutex::default(),
            stopping: watch::Sender::new(false),
            description: OnceLock::new(),
        };
        Self { state, anyone_decides: false, stands_alone: false }
    }

    /// Sets the limits, and forgets the connections.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.state.connections = Connections::new(&limits);
        self.state.limits = limits;
    }

    /// Allows requests from the pages of an origin.
    pub(crate) fn allow_origin(&mut self, origin: String) {
        self.state.guard.origins.insert(origin);
    }

    /// Returns whether callers without a verified token could decide or read, although that is not allowed.
    fn serves_unknown_callers(&self) -> bool {
        let operators = &self.state.operators;
        let is_unknown = operators.lets_anyone_decide() || self.stands_alone && !operators.verifies();
        is_unknown && !self.anyone_decides
    }

    /// Returns the routes for a program with its own server.
    pub(crate) fn router(mut self, routes: Routes) -> Router {
        self.state.guard.local_callers_only = self.serves_unknown_callers();
        with_checks(routes, Arc::new(self.state))
    }
}

/// Puts the checks of each request in front of routes.
fn with_checks(routes: Routes, state: Arc<AppState>) -> Router {
    let cross_origin = state.guard.cross_origin();
    let routes = routes
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&state), request_guard::enforce))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&state), connection_permit::acquire))
        .layer(axum::middleware::from_fn(crate::http::as_problem))
        .with_state(state);
    match cross_origin {
        Some(layer) => routes.layer(layer),
        None => routes,
    }
}

/// The state shared by all requests.
pub(crate) struct AppState {
    pub(crate) engine: Arc<Engine>,
    pub(crate) operators: OperatorAuth,
    guard: RequestGuard,
    /// The maximum size of a request in bytes.
    pub(crate) max_bytes: usize,
    pub(crate) limits: Limits,
    connections: Arc<Connections>,
    /// The runtime that executes nodes; if `None`, the one that answers requests.
    workers: Option<Handle>,
    since: Timestamp,
    /// The state of the sweep, if one runs in the background.
    pub(crate) background: background::Background,
    /// `true` if refusals are answered with 200.
    pub(crate) behind_service: bool,
    /// The threads that requests were about.
    pub(crate) own_threads: Arc<sweep::OwnThreads>,
    /// Held during a requested sweep.
    sweeping: tokio::sync::Mutex<()>,
    /// Becomes `true` when the server stops, which ends the streams of events.
    pub(crate) stopping: watch::Sender<bool>,
    /// The description of the HTTP API, once it was requested.
    pub(crate) description: OnceLock<Bytes>,
}

impl AppState {
    pub(crate) fn workers(&self) -> Handle {
        self.workers.clone().unwrap_or_else(Handle::current)
    }
}
