//! The runtime of `hitl`. Users depend on the crate `hitl`, which re-exports it.

#![warn(missing_docs)]

#[cfg(any(feature = "agentcore", feature = "cli"))]
mod calendar;
mod error;
pub mod graph;
mod guard;
pub mod journal;
pub mod model;
mod prose;
pub mod review;
pub mod run;
pub mod serve;
pub mod state;
pub mod store;
mod thread_id;
mod unicode;
mod variable;

#[doc(hidden)]
pub mod __private;

pub use error::Error;
pub use journal::{Digest, Place, Question, Reason, Rejection};
pub use review::{Approved, Draft, Operator, Verdict, Violation};
pub use run::{
    Activity, Agent, CanAsk, CanEdit, Check, Clock, Cx, Deps, Difference, Failed, InDoubt, ManualClock,
    NoAsk, NoEdit, NodeError, Opens, Preview, Provides, Reproposal, Review, Running, Snapshot, SystemClock,
    ThreadView,
};
#[cfg(feature = "sqlite")]
pub use store::SqliteStore;
pub use store::{MemoryStore, OpenReview, Page, Standing, Store, StoreError};
pub use thread_id::{InvalidThreadId, ThreadId};
