//! The runtime of `hitl`. Users depend on the crate `hitl`, which re-exports it.

#![warn(missing_docs)]

mod env;
mod error;
pub mod graph;
pub mod journal;
pub mod model;
pub mod review;
pub mod run;
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

pub use error::Error;
pub use journal::{Digest, Place, Question, Reason, Rejection};
pub use review::{Approved, Draft, Operator, Verdict, Violation};
pub use run::{
    Activity, Agent, CanAsk, CanEdit, Clock, CompatibilityReport, Cx, Deps, Failed, InDoubt, Incompatibility,
    ManualClock, NextReview, NoAsk, NoEdit, NodeError, Preview, Provides, Reproposal, Review, Running,
    Snapshot, SystemClock, ThreadView,
};
#[cfg(feature = "sqlite")]
pub use store::SqliteStore;
pub use store::{MemoryStore, OpenReview, Page, Store, StoreError, ThreadStatus};
pub use thread_id::{InvalidThreadId, ThreadId};
