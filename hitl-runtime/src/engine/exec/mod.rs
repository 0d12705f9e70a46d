//! Execution of nodes: attempts, fork and join, retries, and the path of an edited draft.

mod activity;
mod append_and_run;
mod attempt;
mod edit_path;
mod executor;
mod item_permits;
mod preview;
mod ready_queue;
mod run_signals;
mod run_to_completion;

pub(crate) use self::run_signals::WakeRunner;
pub use self::{
    activity::Activity,
    preview::{NextReview, Preview, Reproposal},
};
pub(super) use self::{
    activity::{RunCounters, RunningGuard},
    edit_path::{EditResult, takes_no_edit},
    executor::{RunError, context, execute},
    run_signals::RunSignals,
    run_to_completion::{finish, finish_for},
};
