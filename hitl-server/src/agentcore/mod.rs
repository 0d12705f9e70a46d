//! Serving an agent on Amazon Bedrock AgentCore Runtime.
//!
//! The service starts a container for each session and sends it HTTP requests: `POST /invocations` with the [actions of
//! an agent](crate::api), `GET /ping`, and `/ws` for the same actions over one connection. A thread that waits
//! for a person needs no container: its journal is in the store, and the next container continues it. The [guide] leads
//! from a clone to a running agent, offline or in an AWS account.
//!
//! ```no_run
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use hitl::agentcore::{AgentCore, OperatorAuth, TokenVerifier};
//!
//! let agent = RefundAgent::new(MemoryStore::new());
//! let tokens = TokenVerifier::from_url("https://login.example/keys")?;
//! let tokens = tokens.issuer("https://login.example").audience("refunds");
//! // On 0.0.0.0:8080, until SIGTERM or Ctrl-C. `serve` on an agent's command line does the same.
//! let served = AgentCore::new(agent).operators(OperatorAuth::verified(tokens));
//! served.serve(AgentCore::ADDRESS).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Requests and responses
//!
//! | request | response |
//! |---|---|
//! | `POST /invocations` | 200 and the thread as JSON; otherwise the status and `code` of a [`ApiError`], or 200 and its `code` [behind the service](AgentCore::behind_service) |
//! | the same with `Accept: text/event-stream` | server-sent events: each `entry`, the text that models have `said`, and finally the `thread` |
//! | `GET /ping` | `{"status": "Healthy" or "HealthyBusy", "time_of_last_update": seconds}`; with `"sweep": "failing"` while the store does not return the threads that are due, `"restarting"` while a sweep that ended is being restarted, and 503 with `"sweep": "down"` if it keeps ending |
//! | `/ws` | each text message is a request, and is answered with the same events |
//! | `POST /runtimes/{arn}/invocations` | the same as `/invocations`, for an SDK whose endpoint is this server |
//!
//! A thread can be reached in any session, so its name can be that of a ticket. Two sessions are two containers, and the
//! journal is consistent even then: each append names the place that it fills, and a second one for the same place is a
//! conflict. [`session_id`] of a thread's name is always the same: with it, one container serves the thread.
//!
//! The operator is the subject of the token that the caller sent, once it is [verified](TokenVerifier). A thread belongs to
//! the subject whose token started it. A name that the payload claims counts only if [`OperatorAuth`] accepts claims.
//!
//! # Threat model of the served agent
//!
//! | attacker's access | can | cannot, and why |
//! |---|---|---|
//! | a web page in an operator's browser | make the browser send `GET /ping` | open `/ws` or post: a foreign `Origin`, a `Sec-Fetch-Site` of another site and a body that is not `application/json` are rejected. A hostname that the page has made resolve to the server is another `Host`, and on a loopback address only loopback hosts are accepted |
//! | the network, and no token | send `GET /ping`; with keys, use the rights that [`OperatorAuth::open`] grants; without keys, start, read, resume and sweep threads; if operators are [`claimed`](OperatorAuth::claimed), do everything in any name | decide, unless claims are accepted; and on an address that other machines reach, they are accepted only if the configuration allows it explicitly |
//! | the network, and much time and memory | occupy connections: 512 at most, or half of the process's open files; a quarter of them with a request in execution, an eighth of them WebSockets | delay a ping or a new connection: requests are answered on a dedicated thread, nothing is allocated for a connection before its headers have arrived, and the connection that has been idle the longest is closed for a new one |
//! | a token that is valid here | start threads; read, decide and resume its own threads and those with a review for a role that it holds; learn who decided first | see whether another subject's thread exists, except by starting one with its name; decide without the role; be used after its expiry, or for longer than the maximum lifetime |
//! | a token that the same keys signed for another purpose | nothing | use a token of another issuer or audience, a logout token, a DPoP proof, a token that is bound to a key, one with an unknown `crit`, or one whose key is for encryption or for another algorithm |
//! | the network path to the key server | nothing, because `https` is required for every host but this machine | substitute a key: redirects are not followed, and at most 256 KiB are read |
//! | the log | read the names of threads, nodes, roles and operators, verdicts, digests, idempotency keys, request IDs and codes of errors | read what was sent, or a value of a thread: the message of a client error goes only to the caller, and IDs are logged only if they are short and plain |
//! | the container, its store or its keys | everything that the agent can | out of scope here: see [`store::encrypted`](hitl_runtime::store::encrypted) and [`Agent::verify`] |
//!
//! The limits below are the defaults; [`Limits`] changes them. A timeout closes the connection, except that of a body,
//! which is a 408.
//!
//! | subject | limit |
//! |---|---|
//! | headers, and the time between two requests of one connection | 20 s, 64 KiB, 100 headers |
//! | a body | 30 s, 1 MiB or [`max_request_bytes`](AgentCore::max_request_bytes) |
//! | its JSON | 64 levels, 50,000 values, unique names in each object |
//! | all requests in memory together | 256 MiB; the slowest sender is disconnected first, then requests get a 503 `busy` |
//! | a response that the client does not read | 30 s without a byte |
//! | a WebSocket whose peer sends nothing, not even pongs | 60 s |
//! | a `sweep` | 60 s, then it is answered with `"more": true` and the threads go on; a second one at the same time is a 409 `sweep_running` |
//! | a token | 16 KiB, 24 h or [`max_lifetime`](TokenVerifier::max_lifetime) |
//!
//! There is no rate limit per client, because behind a proxy all clients look alike: put one in front of the server.
//! `tests/agentcore` tests each of these limits over real sockets.
//!
//! # Differences from the Python SDK
//!
//! `.ci/agentcore-clients` sends the same 46 requests, valid and invalid, to this server and to an agent of the Python
//! SDK (`bedrock-agentcore` 1.25.0), and fails if they differ in anything but this:
//!
//! | | this server | Python SDK | reason |
//! |---|---|---|---|
//! | the session header of a response | the thread's session | none | a caller without a session learns which one to use next |
//! | the content type of a stream | `text/event-stream` | with `; charset=utf-8` | such a stream is always UTF-8 (WHATWG HTML, 9.2) |
//! | a node that fails | 200, and the thread with its `failure` | 500; in a stream an event with `error` | the request succeeded: the thread is stored and can be resumed |
//! | client errors: no object, an unknown action, no input | 400 and a `code` | 500 | the container did not fail |
//! | `NaN`, numbers beyond the max_bytes double, UTF-16, a byte order mark | 400 | accepted | RFC 8259, sections 6 and 8.1 |
//! | an unpaired surrogate; 10,000 nested arrays | 400 | 500 | values that cannot be stored are rejected when they are read, as are more than 64 levels |
//! | more than 50,000 values; a duplicate name in an object | 400 | accepted | the first takes too much memory, the second is ambiguous |
//! | no content type, or one other than JSON | 415 | accepted | a web page may send it without a preflight; with an `Authorization`, as the SDKs send, the type may be omitted |
//! | a page of another origin | 403 | accepted | the user of the browser did not make the request |
//! | another thread's session | 400 | not checked | two sessions are two containers for one thread |
//! | more than 1 MiB, or the configured limit | 413 | accepted | a thread's state is far smaller |
//! | a wrong method, an unknown path | JSON with a `code` | plain text | clients parse errors as JSON |
//! | `/invocations/` | 404 | 307 to `/invocations` | the service uses the path without the slash |
//! | `/ws` without an upgrade | 400 | 404 | the path exists |
//! | a request that is not HTTP | 400, empty | 400, text | hyper rejects it before this server sees it |
//! | more than 100 headers | 431 | accepted | hyper rejects it before this server sees it |
//!
//! boto3's `bedrock-agentcore` and `agentcore invoke --dev` are tested against this server too. boto3 with its
//! `endpoint_url` set to this server reports the `code` of an error as that of its `ClientError`. AgentCore itself
//! replaces such a response and reports that the container has failed (424), so a container answers a refusal with 200:
//! see [`AgentCore::behind_service`]. `agentcore invoke --dev` prints the status but not the body, so look into the log;
//! and it generates a session unless it is given one, so omit `thread_id` or pass the thread's session.

#[cfg(test)]
mod health_tests;
mod invoke;
mod session;
mod stream;
mod websocket;

#[doc = include_str!("guide.md")]
pub mod guide {}

use std::{fmt, future::Future, io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    routing::{any, get, post},
};
use hitl_runtime::{Agent, agent::Graph, plumbing::engine};

pub use session::session_id;

pub use crate::{
    identity::{InvalidKeys, OperatorAuth, Right, TokenVerifier, UnknownRight},
    server::{Limits, log_as_json, workload_access_token},
};

use crate::{
    api::ApiError,
    http,
    server::{Routes, Server, ping, response, shutdown_signal},
};

/// Returns the routes of an agent, for a program with its own server. Verdicts are rejected, because no source of
/// operators is set: see [`AgentCore::operators`].
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let agent = RefundAgent::new(MemoryStore::new());
/// let app: axum::Router = hitl::agentcore::router(agent);
/// # let _ = app;
/// # }
/// ```
pub fn router<G: Graph>(agent: Agent<G>) -> Router {
    AgentCore::new(agent).router()
}

/// A builder for the server of an agent.
pub struct AgentCore {
    pub(crate) server: Server,
}

impl AgentCore {
    /// The address at which the service expects the container to listen.
    pub const ADDRESS: std::net::SocketAddr =
        std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8080);

    /// Creates a server that accepts no verdicts until [`operators`](Self::operators) is set.
    pub fn new<G: Graph>(agent: Agent<G>) -> Self {
        Self { server: Server::new(Arc::clone(engine(&agent))) }
    }

    /// Sets the source of the operators whose verdicts are accepted.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// use hitl::agentcore::{AgentCore, OperatorAuth, TokenVerifier};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let tokens = TokenVerifier::from_url("https://login.example/keys")?;
    /// let tokens = tokens.issuer("https://login.example").audience("refunds");
    /// let served = AgentCore::new(agent).operators(OperatorAuth::verified(tokens));
    /// # let _ = served;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn operators(mut self, operators: OperatorAuth) -> Self {
        self.server.state.operators = operators;
        self
    }

    /// Lets everyone who can reach the server sign in any name, if operators are [`claimed`](OperatorAuth::claimed),
    /// even on an address that other machines reach. On AgentCore the service is in front of the container, and IAM
    /// controls who may invoke it.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// use hitl::agentcore::{AgentCore, OperatorAuth};
    ///
    /// # fn main() {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let behind_iam = AgentCore::new(agent).operators(OperatorAuth::claimed()).let_anyone_decide();
    /// # let _ = behind_iam;
    /// # }
    /// ```
    #[must_use]
    pub fn let_anyone_decide(mut self) -> Self {
        self.server.anyone_decides = true;
        self
    }

    /// Answers refused requests so that their reason reaches the caller through AgentCore's service.
    ///
    /// The service replaces each response of the container with a status of 4xx or 5xx by a 424 without a body: the loser
    /// of a race is not told who decided first, nor is an operator told why an edit is invalid. With this setting a
    /// refused `POST /invocations` is answered with 200 and the same JSON, an object with `error` and `code`, or with one
    /// event of a stream. A caller tells it by its `code`, which no other response has. On a WebSocket, an error is a
    /// message in any case.
    ///
    /// Unchanged are the errors of the server (5xx), those of requests that the service does not send (a foreign host or
    /// origin, another path), and those of authentication (`token_missing`, `token_invalid`, `token_expired` and
    /// `operator_missing`): the service's authorizer answers for tokens before the container is called. So are those of a
    /// `sweep`, because a schedule requests it, which recognizes a failure by the status.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// use hitl::agentcore::AgentCore;
    ///
    /// # fn main() {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let served = AgentCore::new(agent).behind_service();
    /// # let _ = served;
    /// # }
    /// ```
    #[must_use]
    pub fn behind_service(mut self) -> Self {
        self.server.state.behind_service = true;
        self
    }

    /// Allows requests from the pages of an origin, such as `https://desk.example`. All requests from pages of other
    /// origins are rejected.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// use hitl::agentcore::AgentCore;
    ///
    /// # fn main() {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let served = AgentCore::new(agent).allow_origin("https://desk.example");
    /// # let _ = served;
    /// # }
    /// ```
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.server.allow_origin(origin.into());
        self
    }

    /// Sets the maximum size of a request in bytes. The default is 1 MiB.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// use hitl::agentcore::AgentCore;
    ///
    /// # fn main() {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let served = AgentCore::new(agent).max_request_bytes(4 * 1024 * 1024);
    /// # let _ = served;
    /// # }
    /// ```
    #[must_use]
    pub fn max_request_bytes(mut self, bytes: usize) -> Self {
        self.server.state.max_bytes = bytes;
        self
    }

    /// Sets the limits on the resources that clients may take, and the timeouts.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// use hitl::agentcore::{AgentCore, Limits};
    /// use std::time::Duration;
    ///
    /// # fn main() {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let served = AgentCore::new(agent).limits(Limits::default().body(Duration::from_secs(5)).sockets(16));
    /// # let _ = served;
    /// # }
    /// ```
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.server.set_limits(limits);
        self
    }

    /// Returns the routes, for a program with its own server.
    ///
    /// The routes themselves check each request: one `Host`, no foreign `Origin`, a JSON content type, the limits on
    /// its bytes, depth and values, and the timeout of its body. They also limit the requests executed concurrently,
    /// the memory that these take together, and the number of WebSockets.
    ///
    /// Your server must do what only a server can:
    /// - limit the open connections, and the time that each may take to send its headers or its next request;
    /// - limit the size of headers (64 KiB in [`AgentCore::serve`], and hyper's maximum of 100 headers);
    /// - disconnect a client that does not read its response;
    /// - answer pings on a thread that executes no nodes;
    /// - check `Host` if it listens on a loopback address, because only it knows its address.
    ///
    /// If operators are [`claimed`](OperatorAuth::claimed), only callers on this machine are served, and only if they
    /// address it as `localhost` or a loopback address, unless [`let_anyone_decide`](Self::let_anyone_decide) is set.
    /// This requires the address of the caller: serve the router by
    /// `into_make_service_with_connect_info::<SocketAddr>()`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// use hitl::agentcore::{AgentCore, OperatorAuth};
    /// use std::net::SocketAddr;
    ///
    /// # fn main() {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let app: axum::Router = AgentCore::new(agent).operators(OperatorAuth::claimed()).router();
    /// let service = app.into_make_service_with_connect_info::<SocketAddr>();
    /// # let _ = service;
    /// # }
    /// ```
    pub fn router(self) -> Router {
        self.server.router(routes())
    }

    /// Serves on an address until SIGTERM or Ctrl-C, then waits at most 20 s for the requests and threads that are
    /// running. Nodes run on the current runtime, and requests are answered on a dedicated thread, so that a node that
    /// blocks its runtime does not delay pings.
    ///
    /// # Errors
    /// If it cannot listen on the address, or if other machines reach the address and everyone could decide: see
    /// [`let_anyone_decide`](AgentCore::let_anyone_decide).
    pub async fn serve(self, address: SocketAddr) -> io::Result<()> {
        let listener = std::net::TcpListener::bind(address)?;
        self.serve_until(listener, shutdown_signal()).await
    }

    /// Serves as [`serve`](Self::serve) does, on an open listener and until `stop` resolves.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::agentcore::AgentCore;
    ///
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// println!("on {}", listener.local_addr()?);
    /// AgentCore::new(agent).serve_until(listener, async { /* a test is over */ }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`AgentCore::serve`].
    pub async fn serve_until(
        self,
        listener: std::net::TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        self.server.serve_until(routes(), listener, stop).await
    }
}

impl fmt::Debug for AgentCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentCore")
            .field("anyone_decides", &self.server.anyone_decides)
            .finish_non_exhaustive()
    }
}

/// Returns the paths of the service, and those of the HTTP API.
pub(crate) fn routes() -> Routes {
    Router::new()
        .route("/invocations", post(invoke::invoke))
        .route("/runtimes/{arn}/invocations", post(invoke::invoke_as_service))
        .route("/ping", get(ping::ping))
        .route("/ws", any(websocket::connect))
        .fallback(async || {
            response::error(&ApiError::new(
                404,
                "no_such_path",
                "no such path; the paths are /invocations, /ping, /ws and those under /v1",
            ))
        })
        .method_not_allowed_fallback(async || {
            response::error(&ApiError::new(
                405,
                "no_such_method",
                "method not allowed; use POST /invocations, GET /ping or GET /ws",
            ))
        })
        .merge(http::routes())
}
