//! The JSON API of an agent, independent of the transport.
//!
//! A request names an action and a thread; the action's parameters are further members of the same object:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use hitl::api::{Reply, Request, dispatch};
//! use serde_json::json;
//!
//! let agent = RefundAgent::new(MemoryStore::new());
//! let start = json!({ "action": "start", "thread_id": "ticket-A-9133", "input": { "message": "A-9133 is broken" } });
//! let reply = dispatch(&agent, Request::parse(start, None)?, None).await?;
//! // A person has to act: read the draft and sign its digest.
//! let Reply::Thread(view) = reply else { panic!("a start is answered with the thread") };
//! let review = &view.reviews[0];
//!
//! let approve = json!({ "action": "approve", "thread_id": "ticket-A-9133", "digest": review.digest });
//! let mara = mara();
//! let Reply::Thread(view) = dispatch(&agent, Request::parse(approve, None)?, Some(&mara)).await? else { panic!() };
//! assert_eq!(view.standing.as_str(), "ended");
//!
//! // A second click changes nothing, and reports who decided first.
//! let again = json!({ "action": "approve", "thread_id": "ticket-A-9133", "digest": review_digest(&agent).await });
//! # async fn review_digest(agent: &Agent<RefundAgent>) -> String {
//! #     let entries = agent.history("ticket-A-9133", 0, 9).await.unwrap();
//! #     entries.iter().find_map(|entry| match &entry.event {
//! #         hitl::journal::Event::Paused { digest, .. } => Some(digest.to_string()),
//! #         _ => None,
//! #     }).unwrap()
//! # }
//! let error = dispatch(&agent, Request::parse(again, None)?, Some(&mara)).await.unwrap_err();
//! assert_eq!((error.status, error.code), (409, "already_decided"));
//! # Ok(())
//! # }
//! ```
//!
//! | action | members besides `thread_id` | effect |
//! |---|---|---|
//! | `start` | `input`, or the inputs themselves | [`Agent::start`] |
//! | `get` | | returns the thread |
//! | `approve` | `digest` and perhaps a `note`, which the journal keeps with the verdict | signs the draft as it is |
//! | `edit` | `digest`, `patch` by field, `note` | signs a changed draft instead |
//! | `reject` | `digest`, `reason`, `note` | rejects the draft |
//! | `ask` | `digest`, `question`, `note` | has it drafted again |
//! | `decide` | `verdicts`: a list of these four, each an object with its `action` and members | decides several reviews of the thread, all or none |
//! | `preview` | `digest`, `verdict`: the name of one of these four, with its members next to it, or an object with its `action` | [`Agent::preview`] |
//! | `settle` | `digest`, `how`: `happened` with `wrote`, `run_again`, or `stop` with `note` | [`Agent::settle`] |
//! | `resume` | | [`Agent::resume`] |
//! | `continue` | | [`Agent::continue_thread`]: what a verdict of a front leads to, without a retry of failed nodes |
//! | `pause`, `unpause`, `cancel` | `reason`; `scope`: `graph` or `store`, without a `thread_id` | [`Front::pause`], `unpause`, `cancel` |
//! | `stops` | | returns the stops of graphs and of the store, without a `thread_id` |
//! | `history` | `from`, `limit` | returns a page of the journal |
//! | `inbox` | `node`, `role`, `thread_prefix`, `after`, `limit` (50), without a `thread_id` | returns a page of the open reviews of this graph that the operator may decide, oldest first, as `reviews`; its `next` is the `after` of the next page, or null |
//! | `threads` | `status`, `after`, `limit` (100), without a `thread_id` | returns a page of the threads of the store, in the order of their names |
//! | `metrics` | `since_ms`, `by`: `node`, `rule`, `operator` or `day`, without a `thread_id` | [`Agent::metrics`]: their `total`, and with `by` the `groups` |
//! | `batch` | `reviews`: a list of `thread_id` and `digest`, `verdict` as in `preview`, `confirm`; without a `thread_id` | previews one verdict on reviews of many threads, which have the same node and rule; with the `confirm` of the preview, gives it |
//! | `sweep` | without a `thread_id` | [`Agent::sweep`]; returns how many threads have `moved` or `failed`, were `reminded` of or `refused`; with `more` if a server did not wait for the end |
//!
//! The response is the thread as a [`ThreadView`](hitl_runtime::ThreadView), except for `history`, `preview`, `inbox`,
//! `threads`, `batch`, `sweep`, `stops`, and the stops of a graph or a store. A request may claim an operator by
//! `operator` and `roles`; the transport decides whether such a claim is accepted.
//!
//! [`Agent::start`]: hitl_runtime::Agent::start
//! [`Agent::preview`]: hitl_runtime::Agent::preview
//! [`Agent::settle`]: hitl_runtime::Agent::settle
//! [`Agent::resume`]: hitl_runtime::Agent::resume
//! [`Agent::metrics`]: hitl_runtime::Agent::metrics
//! [`Agent::continue_thread`]: hitl_runtime::Agent::continue_thread
//! [`Agent::sweep`]: hitl_runtime::Agent::sweep
//! [`Front::pause`]: hitl_runtime::Front::pause

mod batch;
mod dispatch;
mod error;
mod inbox;
mod metrics;
mod request;
mod sweep;
#[cfg(test)]
mod tests;

#[cfg(feature = "http")]
pub(crate) use batch::batch;
pub use batch::{Batch, BatchReply, BatchResult, BatchReview};
#[cfg(feature = "http")]
pub(crate) use dispatch::dispatch_on;
pub use dispatch::{Reply, ThreadRow, dispatch};
pub use error::ApiError;
pub use inbox::InboxFilter;
#[cfg(feature = "http")]
pub(crate) use inbox::{ReviewFilter, inbox};
pub use metrics::{MetricsGroup, MetricsReply};
pub use request::{Action, Request};
#[cfg(feature = "http")]
pub(crate) use request::{
    Approve, Ask, DEFAULT_PAGE, DEFAULT_REVIEWS, Edit, MAX_PAGE, Reject, Settle, VERDICTS, action_name,
    beside_input, excerpt, invalid,
};
pub use sweep::SweepCounts;
#[cfg(feature = "http")]
pub(crate) use sweep::sweep;
