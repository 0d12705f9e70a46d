//! Human-in-the-loop agents whose graph the compiler proves and whose journal survives the process.

#![warn(missing_docs)]

pub use hitl_macros::{graph, interrupt_before, node, state};
pub use hitl_runtime::{
    Agent, Approved, CanAsk, Clock, Cx, Deps, Digest, Error, Failed, InDoubt, InvalidThreadId, ManualClock, MemoryStore,
    NoAsk, NodeError, OpenReview, Operator, Page, Place, Provides, Question, Reason, Rejection, Review, Running, Snapshot,
    Standing, Store, StoreError, SystemClock, ThreadId, ThreadView, Verdict, Violation,
};
pub use hitl_runtime::{journal, model, store};

#[cfg(feature = "sqlite")]
pub use hitl_runtime::SqliteStore;
#[cfg(feature = "cli")]
pub use hitl_runtime::serve::cli;

/// What a node returns. Any error fits, by `?`.
///
/// ```
/// fn order(text: &str) -> hitl::Result<u32> {
///     Ok(text.parse()?)
/// }
/// assert_eq!(order("9133").unwrap(), 9133);
/// assert!(order("A-9133").is_err());
/// ```
pub type Result<T, E = NodeError> = std::result::Result<T, E>;

/// Everything that a file which declares an agent names.
pub mod prelude {
    pub use garde::Validate;
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};

    #[cfg(feature = "sqlite")]
    pub use crate::SqliteStore;
    pub use crate::{
        Agent, Approved, Cx, Deps, MemoryStore, NodeError, Operator, Provides, Question, Reason, Rejection, Result,
        Verdict, graph, interrupt_before,
        model::{Model, ModelExt},
        node, state,
    };
}

#[doc(hidden)]
pub use hitl_runtime::__private;
