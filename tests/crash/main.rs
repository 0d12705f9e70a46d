//! The crash matrix: no entry is lost and no effect is repeated, at whichever point a process dies.
//!
//! A child process runs one thread on a real SQLite file and is killed with SIGKILL: before and after each append, at
//! each await, before and after each change of the world. Another process then finishes the thread as an operator
//! would. The points are found by running until a run is not killed; none is listed by hand.
//!
//! With the feature `dynamodb`, the same runs are killed on a DynamoDB table, in a third-party emulator.
//!
//! `HITL_MATRIX=10 cargo test --test crash` repeats the runs that depend on timing ten times: a kill during a write
//! hits another point of the write each time.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod case;
mod child;
#[cfg(feature = "dynamodb")]
#[path = "../../hitl-runtime/tests/dynamo/dynoxide.rs"]
mod dynoxide;
mod full_runs;
mod kill_points;
mod ledger;
mod matrix_store;
mod operator;
mod operator_actions;
mod process;
mod refund_agent;
#[cfg(feature = "dynamodb")]
#[path = "../agentcore/table.rs"]
#[allow(dead_code)]
mod table;

/// The entry point of the child processes that the tests start from this binary; in any other process, an empty test.
#[test]
fn child() {
    child::run_child();
}
