//! Execution of threads: attempts, fork and join, retries, leases, recovery.

mod activity;
mod adopt;
mod agent;
mod attempt;
mod authenticate;
mod check;
mod clock;
mod compatibility;
mod context;
mod deadlines;
mod decide;
mod due_thread;
mod executor;
mod fingerprint;
mod for_each;
mod fork;
mod graph;
mod handles;
mod history;
mod history_entry;
mod incompatibility;
mod item;
mod lease;
mod lenient_load;
mod load;
mod node;
mod node_error;
mod previews;
mod random_id;
mod replay;
pub(crate) mod reporter;
mod repropose;
mod review;
mod review_rule;
mod review_terms;
mod route;
mod run_to_completion;
mod settle;
mod start;
mod subscription;
mod sweep;
mod sweeper;
mod thread_state;
mod thread_writer;
mod verify;
mod view;
mod write_checks;

pub use activity::Activity;
pub use agent::Agent;
pub use check::CompatibilityReport;
pub use clock::{Clock, ManualClock, SystemClock};
pub use context::Cx;
pub use graph::{
    Asks, CanAsk, CanEdit, Edits, Graph, GraphTable, NoAsk, NoEdit, NodeEntry, NodeTable, specs,
};
pub use handles::{Failed, InDoubt, Running};
pub use history::Snapshot;
pub use history_entry::HistoryEntry;
pub use incompatibility::Incompatibility;
pub use item::ItemView;
pub use node::{Args, Deps, ErasedArgs, Node, NodeFuture, Provides, Run, Writes};
pub use node_error::NodeError;
pub use repropose::{NextReview, Preview, Reproposal};
pub use review::{AnyReview, Review, several};
pub use review_rule::ReviewChange;
pub use subscription::{Subscription, ThreadEvent};
pub use sweep::SweepEvent;
pub use thread_state::ThreadState;
pub use verify::{Audit, CLOCK_SKEW_MS, Finding, FindingKind, JournalHead, UncheckedRange};
pub use view::{FailureView, InDoubtView, ReviewView, ThreadView};

#[cfg(feature = "agentcore")]
pub(crate) use settle::may_settle;
