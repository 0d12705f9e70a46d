//! The crash matrix: nothing is lost and nothing happens twice, wherever a process dies.
//!
//! A child process runs one thread on a real SQLite file and is killed with SIGKILL: before and after each append, at
//! each await, before and after each touch of the world. Another process then finishes the thread as an operator
//! would. The points are found by running on until a run ends without a kill; none is listed by hand.
//!
//! With the feature `dynamodb` the same runs are killed on a table of DynamoDB, in an emulator that others wrote.
//!
//! `HITL_MATRIX=10 cargo test --test crash` walks the awaits ten times: where a kill meets a write that is under way,
//! each time is another one.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod case;
mod child;
mod desk;
mod doom;
#[cfg(feature = "dynamodb")]
#[path = "../../hitl-runtime/tests/dynamo/dynoxide.rs"]
mod dynoxide;
mod ledger;
mod moves;
mod office;
mod operator;
mod runs;
mod shelf;
#[cfg(feature = "dynamodb")]
#[path = "../agentcore/table.rs"]
#[allow(dead_code)]
mod table;

/// Not a test: what this program does when one of its tests has started it again.
#[test]
fn child() {
    child::obey();
}
