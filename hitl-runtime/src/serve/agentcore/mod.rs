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
//! | `GET /ping` | `{"status": "Healthy" or "HealthyBusy", "time_of_last_update": seconds}` |
//! | `/ws` | each text is a request, and answered with the same events |
//! | `POST /runtimes/{arn}/invocations` | what `/invocations` answers, for an SDK whose endpoint is this program |
//!
//! The session of a thread is [`session_id`] of its name. A request whose session header says another one is refused: two
//! sessions would be two containers for one thread. The journal would hold even then, for each append names the place
//! that it fills.
//!
//! Who decides is the subject of the token that the caller sent, once it is [verified](Tokens). A name that the payload
//! claims counts only where [`Operators`] says so.
//!
//! # Beside the Python SDK
//!
//! `.ci/agentcore-clients` asks this and an agent of the Python SDK (`bedrock-agentcore` 1.25.0) the same 40 things, good
//! and bad, and ends in an error when anything differs but this:
//!
//! | | here | there | why |
//! |---|---|---|---|
//! | an answer's session header | the thread's session | none | whoever had none knows where to ask next |
//! | a stream's content type | `text/event-stream` | and `; charset=utf-8` | such a stream is always UTF-8 (WHATWG HTML, 9.2) |
//! | a node that fails | 200, and the thread with its `failure` | 500; in a stream an event with `error` | the thread is kept and can be resumed; that the request failed would be untrue |
//! | what the caller did wrong: no object, no such action, no input | 400 and a `code` | 500 | it is not the container that failed |
//! | `NaN`, numbers past the largest double, UTF-16, a byte order mark | 400 | taken | RFC 8259, sections 6 and 8.1 |
//! | half a surrogate pair; 10,000 nested arrays | 400 | 500 | what cannot be kept is refused as it is read; more than 127 levels are |
//! | another thread's session | 400 | no look at it | two sessions are two containers for one thread |
//! | more than 16 MiB | 413 | taken | a thread's state is far below this |
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
mod bounded;
mod call;
mod connections;
mod door;
mod identity;
mod invoke;
mod keys;
mod log;
mod payload;
mod ping;
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
pub use identity::Operators;
pub use keys::InvalidKeys;
pub use log::log_as_json;
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
        Self { house: House { agent, operators, door, largest, workers: None, since_ms }, anyone: false }
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

    /// The routes, for a server of one's own. What a connection may take of this machine is then for that server to say,
    /// and so is whom it may be asked as: the bounds on connections and the rule for `Host` on a loopback address are those
    /// of [`AgentCore::serve`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// use hitl::agentcore::{AgentCore, Operators};
    ///
    /// # fn main() {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let app: axum::Router = AgentCore::new(agent).operators(Operators::claimed()).router();
    /// # let _ = app;
    /// # }
    /// ```
    pub fn router(self) -> Router {
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
    /// Where nodes run; where requests are answered, if nobody says it.
    workers: Option<Handle>,
    since_ms: u64,
}

impl<G: Graph> House<G> {
    fn workers(&self) -> Handle {
        self.workers.clone().unwrap_or_else(Handle::current)
    }
}
