//! The runtime of `hitl`. Users depend on the crate `hitl`, which re-exports it.

#![warn(missing_docs)]

pub mod agent;
mod engine;
mod env;
mod error;
pub mod graph;
pub mod journal;
pub mod model;
pub mod node;
pub mod review;
pub mod serve;
pub mod state;
pub mod store;
mod text;
mod thread_id;
#[cfg(any(feature = "agentcore", feature = "cli"))]
mod timestamp;
mod unicode;
mod user_code;

#[doc(hidden)]
pub mod __private;

pub use agent::{
    Activity, Agent, CanAsk, CanEdit, Clock, CompatibilityReport, Failed, InDoubt, Incompatibility,
    ManualClock, NextReview, NoAsk, NoEdit, Preview, Reproposal, Review, Running, Snapshot, SystemClock,
    ThreadView,
};
pub use error::Error;
pub use journal::{Digest, Place, Question, Reason, Rejection};
pub use node::{Cx, Deps, NodeError, Provides};
pub use review::{Approved, Draft, Operator, Verdict, Violation};
#[cfg(feature = "sqlite")]
pub use store::SqliteStore;
pub use store::{MemoryStore, OpenReview, Page, Store, StoreError, ThreadStatus};
pub use thread_id::{InvalidThreadId, ThreadId};
