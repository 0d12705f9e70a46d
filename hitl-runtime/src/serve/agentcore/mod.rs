//! An agent as Amazon Bedrock AgentCore Runtime runs it.
//!
//! The service starts a container for each session and speaks HTTP to it: `POST /invocations` with the
//! [actions of an agent](crate::serve::wire), `GET /ping`, and `/ws` for the same over one connection. A thread that waits
//! for a person needs no container: its journal is in the store, and the next one goes on. The [guide] goes from a clone to
//! a running agent, offline or in an account.
//!
//! ```no_run
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use hitl::agentcore::{AgentCore, Operators, Tokens};
//!
//! let agent = RefundAgent::new(MemoryStore::new());
//! let tokens = Tokens::from_url("https://login.example/keys")?.issuer("https://login.example").audience("refunds");
//! // On 0.0.0.0:8080, until it is told to stop. `serve` on an agent's command line does the same.
//! let served = AgentCore::new(agent).operators(Operators::verified(tokens));
//! served.serve(AgentCore::<RefundAgent>::ADDRESS).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is answered
//!
//! | request | answer |
//! |---|---|
//! | `POST /invocations` | 200 and the thread as JSON; the status and the `code` of a [`Refusal`] |
//! | the same with `Accept: text/event-stream` | server-sent events: each `entry`, what is `said`, and at last the `thread` |
//! | `GET /ping` | `{"status": "Healthy" or "HealthyBusy", "time_of_last_update": seconds}`; with `"sweep": "failing"` while the store does not say what is due, `"restarting"` while a sweep that ended is started again, and 503 with `"sweep": "down"` where it ends each time |
//! | `/ws` | each text is a request, and answered with the same events |
//! | `POST /runtimes/{arn}/invocations` | what `/invocations` answers, for an SDK whose endpoint is this program |
//!
//! The session of a thread is [`session_id`] of its name. A request whose session header says another one is refused: two
//! sessions would be two containers for one thread. The journal would hold even then, for each append names the place
//! that it fills.
//!
//! Who decides is the subject of the token that the caller sent, once it is [verified](Tokens), and whose token starts a
//! thread, theirs it is. A name that the payload claims counts only where [`Operators`] says so.
//!
//! # Threat model of the served agent
//!
//! | who has | may | may not, and why |
//! |---|---|---|
//! | a web page in an operator's browser | have it ask for `/ping` | open `/ws` or post: a foreign `Origin`, a `Sec-Fetch-Site` of another site, a body that is not `application/json` are refused. A name that the page has made resolve here is another `Host`, and on a loopback address only loopback hosts are taken |
//! | the network, and no token | ask for `/ping`; with keys, what [`Operators::open`] opens; without keys, start, read and resume; where operators are [`claimed`](Operators::claimed), everything in any name | decide, unless claims are taken: and on an address that others reach they are taken only where somebody has said so |
//! | the network, and much time and memory | fill its own connections: 512 at most, or half of the process's files; a fourth of them at work, an eighth of them WebSockets | keep a ping or a new connection waiting: it is answered on a thread of its own, nothing is set up for a connection before its headers have come, and what has asked for nothing longest gives way to what is new |
//! | a token that is good here | start threads; read, decide and resume its own and those whose review asked for a role that it holds; be told who was first | see whether another's thread exists, but by starting one of its name; decide without the role; be used past its time, or past the greatest lifetime |
//! | a token that the same keys signed for something else | nothing | another issuer's or audience's, a logout's, a DPoP proof, one that is bound to a key, one of unknown `crit`, one whose key is for encryption or another algorithm |
//! | the way to the key server | nothing by `https`, which is asked for on any other machine's keys | put another key in: there is no redirect, and 256 KiB at most are read |
//! | the log | thread names in sessions, ids of requests, codes of refusals | see what was sent: the words of a refusal of what a caller did wrong are for the caller alone, and ids are logged only where they are short and plain |
//! | the container, its store or its keys | everything that the agent may | this is not what is guarded here: see [`store::sealed`](crate::store::sealed) and [`Agent::verify`] |
//!
//! What is bounded, and by how much; [`Limits`] says otherwise. A time that is over ends the connection, but for that of a
//! body, which is a 408.
//!
//! | what | how much |
//! |---|---|
//! | headers, and the time between two requests of one connection | 20 s, 64 KiB, 100 headers |
//! | a body | 30 s, 1 MiB or [`largest_request`](AgentCore::largest_request) |
//! | its JSON | 64 levels, 50,000 values, each name once in an object |
//! | requests in memory, all together | 256 MiB; the slowest sender gives way, and then it is a 503 `busy` |
//! | an answer that the other side does not take | 30 s without a byte |
//! | a WebSocket whose other side says nothing, not even to pings | 60 s |
//! | a token | 16 KiB, 24 h or [`longest`](Tokens::longest) |
//!
//! Before it there should stand what knows its clients: it bounds no client's rate, for behind a proxy all are one.
//! `tests/agentcore` tries each of these over real sockets.
//!
//! # Beside the Python SDK
//!
//! `.ci/agentcore-clients` asks this and an agent of the Python SDK (`bedrock-agentcore` 1.25.0) the same 46 things, good
//! and bad, and ends in an error when anything differs but this:
//!
//! | | here | there | why |
//! |---|---|---|---|
//! | an answer's session header | the thread's session | none | whoever had none knows where to ask next |
//! | a stream's content type | `text/event-stream` | and `; charset=utf-8` | such a stream is always UTF-8 (WHATWG HTML, 9.2) |
//! | a node that fails | 200, and the thread with its `failure` | 500; in a stream an event with `error` | the thread is kept and can be resumed; that the request failed would be untrue |
//! | what the caller did wrong: no object, no such action, no input | 400 and a `code` | 500 | it is not the container that failed |
//! | `NaN`, numbers past the largest double, UTF-16, a byte order mark | 400 | taken | RFC 8259, sections 6 and 8.1 |
//! | half a surrogate pair; 10,000 nested arrays | 400 | 500 | what cannot be kept is refused as it is read; more than 64 levels are |
//! | more than 50,000 values; one name twice in an object | 400 | taken | the one takes too much memory, the other says two things |
//! | no content type, or another one than JSON | 415 | taken | a web page may send it without asking first; with an `Authorization`, as the SDKs send, the type may be left out |
//! | a page of another origin | 403 | taken | whoever sits at the browser did not ask for it |
//! | another thread's session | 400 | no look at it | two sessions are two containers for one thread |
//! | more than 1 MiB, or what is set | 413 | taken | a thread's state is far below this |
//! | wrong method, no such path | JSON with a `code` | plain text | whoever reads errors reads JSON |
//! | `/invocations/` | 404 | 307 to `/invocations` | the service asks for the path without the slash |
//! | `/ws` without an upgrade | 400 | 404 | the path is there |
//! | a request that is no HTTP | 400, empty | 400, text | hyper refuses it before it gets here |
//! | more than 100 headers | 431 | taken | the same |
//!
//! boto3's `bedrock-agentcore` and `agentcore invoke --dev` are run against it as well. boto3 with its `endpoint_url` here
//! finds the `code` of a refusal as that of its `ClientError`; on AgentCore itself the service stands between the two, and
//! says that the container has failed (424). `agentcore invoke --dev` says the
//! status and nothing of the body, so look into the log; and it draws a session unless told one, so leave `thread_id` out
//! or give the thread's session.

mod accept;
mod access;
mod answer;
mod background;
mod bounded;
mod call;
mod connections;
mod converse;
mod door;
mod head;
mod identity;
mod invoke;
mod keys;
mod limits;
mod log;
mod payload;
mod ping;
mod seat;
mod serve;
mod session;
mod socket;
mod stall;
mod stream;
mod token;
mod work;

#[doc = include_str!("guide.md")]
pub mod guide {}

use std::sync::Arc;

use axum::{
    Router,
    routing::{any, get, post},
};
use tokio::runtime::Handle;

pub use access::{Right, UnknownRight};
#[cfg(feature = "cli")]
pub(crate) use background::Background;
pub use identity::Operators;
pub use keys::InvalidKeys;
pub use limits::Limits;
pub use log::log_as_json;
#[cfg(feature = "cli")]
pub(crate) use serve::told_to_stop;
pub use session::session_id;
pub use token::Tokens;

use crate::{Agent, run::Graph, serve::wire::Refusal};

/// The routes of an agent, for a program that has its own server. Verdicts are taken from nobody: see
/// [`AgentCore::operators`].
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
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

/// An agent, and how it is served.
pub struct AgentCore<G: Graph> {
    house: House<G>,
    /// Whether anybody may decide who reaches the server.
    anyone: bool,
}

impl<G: Graph> AgentCore<G> {
    /// Where the service looks for the container.
    pub const ADDRESS: std::net::SocketAddr =
        std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8080);

    /// An agent whose verdicts are taken from nobody yet.
    pub fn new(agent: Agent<G>) -> Self {
        let since_ms = agent.now_ms();
        let operators = Operators::default();
        let (door, largest) = (door::Door::default(), payload::LARGEST);
        let background = background::Background::default();
        let limits = Limits::default();
        let connections = connections::Connections::new(&limits);
        let house = House {
            agent,
            operators,
            door,
            largest,
            limits,
            connections,
            workers: None,
            since_ms,
            background,
        };
        Self { house, anyone: false }
    }

    /// Whom verdicts are taken from.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// use hitl::agentcore::{AgentCore, Operators, Tokens};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let tokens = Tokens::from_url("https://login.example/keys")?.issuer("https://login.example").audience("refunds");
    /// let served = AgentCore::new(agent).operators(Operators::verified(tokens));
    /// # let _ = served;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn operators(mut self, operators: Operators) -> Self {
        self.house.operators = operators;
        self
    }

    /// With work beside the requests, of which the ping tells.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn background(mut self, background: background::Background) -> Self {
        self.house.background = background;
        self
    }

    /// Lets whoever can reach the server sign in any name, where operators are [`claimed`](Operators::claimed) and the
    /// address is one that others reach. On AgentCore the service stands before it, and IAM says who may invoke it.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// use hitl::agentcore::{AgentCore, Operators};
    ///
    /// # fn main() {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let behind_iam = AgentCore::new(agent).operators(Operators::claimed()).let_anyone_decide();
    /// # let _ = behind_iam;
    /// # }
    /// ```
    #[must_use]
    pub fn let_anyone_decide(mut self) -> Self {
        self.anyone = true;
        self
    }

    /// Lets the pages of an origin ask, as `https://desk.example`. Those of any other are refused, whatever they send.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
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
        self.house.door.origins.insert(origin.into());
        self
    }

    /// The most bytes that a request may have, in place of 1 MiB.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// use hitl::agentcore::AgentCore;
    ///
    /// # fn main() {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let served = AgentCore::new(agent).largest_request(4 * 1024 * 1024);
    /// # let _ = served;
    /// # }
    /// ```
    #[must_use]
    pub fn largest_request(mut self, bytes: usize) -> Self {
        self.house.largest = bytes;
        self
    }

    /// How much of the server its clients may take, and how long they are waited for.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
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
        self.house.connections = connections::Connections::new(&limits);
        self.house.limits = limits;
        self
    }

    /// The routes, for a server of one's own.
    ///
    /// They bring with them what a request is held to: one `Host`, no foreign `Origin`, JSON that says so, within the
    /// bounds on its bytes, its depth and its values, and a body that comes whole in time; how many requests are carried
    /// out at once, how much memory they take together, and how many WebSockets there are.
    ///
    /// What only the server itself can bound is for that server to add:
    /// - how many connections are open, and how long each may take to send its headers, or to ask again;
    /// - how large the headers may be (64 KiB in [`AgentCore::serve`], and the 100 headers of hyper);
    /// - how long the other side may take nothing of an answer;
    /// - that pings are answered on a thread that no node runs on;
    /// - the rule for `Host` where the server listens on a loopback address: only it knows where it listens.
    ///
    /// Where operators are [`claimed`](Operators::claimed), only callers on this machine are served, who ask it as
    /// `localhost` or a loopback address, unless [`let_anyone_decide`](Self::let_anyone_decide) says otherwise. Whether a
    /// caller is one must be known: serve the router by `into_make_service_with_connect_info::<SocketAddr>()`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// use hitl::agentcore::{AgentCore, Operators};
    /// use std::net::SocketAddr;
    ///
    /// # fn main() {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let app: axum::Router = AgentCore::new(agent).operators(Operators::claimed()).router();
    /// let service = app.into_make_service_with_connect_info::<SocketAddr>();
    /// # let _ = service;
    /// # }
    /// ```
    pub fn router(mut self) -> Router {
        self.house.door.near = self.house.operators.lets_anyone_decide() && !self.anyone;
        self.routes()
    }

    fn routes(self) -> Router {
        let house = Arc::new(self.house);
        Router::new()
            .route("/invocations", post(invoke::invoke::<G>))
            .route("/runtimes/{arn}/invocations", post(invoke::invoke_as_service::<G>))
            .route("/ping", get(ping::ping::<G>))
            .route("/ws", any(socket::connect::<G>))
            .fallback(async || {
                answer::refused(&Refusal::new(404, "no_such_path", "there are /invocations, /ping and /ws"))
            })
            .method_not_allowed_fallback(async || {
                answer::refused(&Refusal::new(
                    405,
                    "no_such_method",
                    "it is POST /invocations, GET /ping, GET /ws",
                ))
            })
            .layer(axum::extract::DefaultBodyLimit::disable())
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&house), door::guard::<G>))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&house), seat::take::<G>))
            .with_state(house)
    }
}

/// What every request needs.
struct House<G: Graph> {
    agent: Agent<G>,
    operators: Operators,
    door: door::Door,
    /// The most bytes of a request.
    largest: usize,
    limits: Limits,
    connections: Arc<connections::Connections>,
    /// Where nodes run; where requests are answered, if nobody says it.
    workers: Option<Handle>,
    since_ms: u64,
    /// The sweep, where one runs beside the requests.
    background: background::Background,
}

impl<G: Graph> House<G> {
    fn workers(&self) -> Handle {
        self.workers.clone().unwrap_or_else(Handle::current)
    }
}
