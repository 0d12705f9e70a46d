//! The HTTP API of an agent: threads, reviews, verdicts, batches, stops, history and events, under `/v1`.
//!
//! A request is converted to an [action](crate::api) and dispatched as one of AgentCore: the same parameters, checks
//! and results. `serve` on an agent's command line has these paths beside those of AgentCore; `serve --front` starts a
//! process of its own with nothing else, over the same store, which runs no node. A program with its own server mounts
//! [`HttpApi::router`].
//!
//! | request | action |
//! |---|---|
//! | `GET /v1/reviews?node=&role=&thread_prefix=&after=&limit=` | `inbox`: the open reviews that the operator may decide |
//! | `GET /v1/threads?status=&after=&limit=` | `threads` |
//! | `POST /v1/threads` | `start` |
//! | `GET /v1/threads/{thread}` | `get` |
//! | `GET /v1/threads/{thread}/history?from=&limit=` | `history` |
//! | `GET /v1/threads/{thread}/events?after=` | the entries as server-sent events; the `id` of each is its place, and `Last-Event-ID` continues after it |
//! | `POST /v1/threads/{thread}/reviews/{digest}/preview` | `preview` |
//! | `POST /v1/threads/{thread}/reviews/{digest}/verdict` | `verdict` names one of `approve`, `edit`, `reject` and `ask`, whose members are beside it |
//! | `POST /v1/threads/{thread}/verdicts` | `decide`: `verdicts`, each with its `verdict` and `digest`; all or none |
//! | `POST /v1/threads/{thread}/effects/{digest}/settlement` | `settle` |
//! | `POST /v1/threads/{thread}/resume` | `resume` |
//! | `POST /v1/threads/{thread}/pause`, `unpause`, `cancel` | the stop of a thread |
//! | `POST /v1/graph/pause`, `unpause`, `cancel`; `POST /v1/store/…` | the stop of all threads |
//! | `GET /v1/stops` | `stops` |
//! | `GET /v1/metrics?since_ms=&by=` | `metrics`: the numbers of the reviews in the store |
//! | `POST /v1/batches` | `batch`: one verdict on reviews of many threads |
//! | `GET /v1/openapi.json` | this API as OpenAPI 3.1, with the schemas of the graph's drafts; where tokens are verified, for every caller with one |
//!
//! The names in a path are percent-encoded. A body is JSON, with the content type `application/json`, also if it is
//! `{}`. The operator is the subject of the verified token. Where operators are [claimed](OperatorAuth::claimed),
//! `operator` and `roles` are members of the body, or of the query of a `GET`; a start takes no operator.
//!
//! # Errors
//!
//! An error is a problem (RFC 9457, `application/problem+json`) with `type`, `title`, `status`, `detail`, its stable
//! `code`, and further data of the error by name. `errors` lists the invalid fields, each with `path` and `detail`.
//!
//! # Browsers
//!
//! A page of another origin can use the API if its origin is [allowed](HttpApi::allow_origin): preflight requests are
//! answered, and the replies can be read (CORS). The `EventSource` of a browser sends no `Authorization`; where tokens
//! are verified, a page reads events with `fetch`.
//!
//! # Batches
//!
//! `POST /v1/batches` with `reviews`, a list of `thread_id` and `digest`, and a `verdict` is a preview: it returns what
//! the verdict would do for each review, their `count`, and `confirm`, a digest of exactly this set and verdict. The
//! same request with this `confirm` records the verdicts, and the threads go on in the background. Each is an append of
//! its own: a review that another operator has decided in between is `refused` with their name, and the others are
//! decided. A request that is sent again, because its reply was lost, is refused for each review by its own verdict:
//! `already_decided`, `by` the same operator.

mod events;
mod exchange;
mod front;
mod openapi;
mod payload;
mod problem;
mod routes;
mod wake;

pub use front::HttpApi;
pub(crate) use problem::as_problem;
#[cfg(feature = "agentcore")]
pub(crate) use routes::routes;
pub(crate) use routes::with_ping;
#[doc(hidden)]
pub use wake::front_from_env;

pub use crate::{
    identity::{InvalidKeys, OperatorAuth, Right, TokenVerifier, UnknownRight},
    server::{Limits, log_as_json},
};
