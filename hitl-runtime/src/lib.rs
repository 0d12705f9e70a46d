//! The runtime of `hitl`. Users depend on the crate `hitl`, which re-exports it.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs, missing_debug_implementations)]

pub mod agent;
#[cfg(feature = "aws")]
#[cfg_attr(
    not(all(feature = "bedrock", feature = "kms")),
    allow(dead_code, reason = "no service uses all of it")
)]
mod aws;
mod engine;
mod error;
pub mod graph;
pub mod journal;
mod json;
pub mod metrics;
pub mod model;
pub mod node;
pub mod review;
mod sealed;
pub mod state;
pub mod store;
mod telemetry;
mod user_code;

#[doc(hidden)]
pub mod __private;
#[doc(hidden)]
pub mod plumbing;

pub use agent::{
    Activity, Agent, CanAsk, CanEdit, CancelReport, Clock, CompatibilityReport, Failed, Front, InDoubt,
    ManualClock, NextReview, NoAsk, NoEdit, Preview, Reproposal, Review, Running, Scope, Snapshot,
    SystemClock, ThreadView,
};
pub use error::{Error, ErrorKind, Incompatibility, Violation};
pub use hitl_core::{Digest, IntoThreadId, InvalidThreadId, ParseDigestError, Place, ThreadId, Timestamp};
use hitl_core::{env, text, unicode};
pub use journal::{
    feedback::{Question, Reason, Rejection},
    operator::Operator,
};
pub use node::{Cx, Deps, NodeError, Provides};
pub use review::{Approved, Draft, NotedVerdict, Verdict};
#[cfg(feature = "sqlite")]
pub use store::SqliteStore;
pub use store::{MemoryStore, OpenReview, Page, Store, StoreError, ThreadStatus};
