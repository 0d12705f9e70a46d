//! The race matrix: of many concurrent verdicts one wins, and the others are told who won, with which verdict and when.
//!
//! Racers approve, edit, reject, ask, expire, resume and cancel one thread at the same time: as processes on one SQLite file,
//! which start each round together, half of them as fronts that only record, and as tasks of one process for many more
//! rounds. Afterwards each review has one
//! verdict, each signed effect has happened once and no other effect has happened, and the journal verifies.
//!
//! With the feature `dynamodb`, the processes race on a DynamoDB table too, in a third-party emulator.
//!
//! `HITL_MATRIX=10 cargo test --test race` runs ten times as many rounds.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod assertions;
#[cfg(feature = "dynamodb")]
#[path = "../../hitl-runtime/tests/dynamo/dynoxide.rs"]
mod dynoxide;
mod graphs;
#[path = "../crash/matrix_store.rs"]
mod matrix_store;
mod processes;
mod racer;
#[cfg(feature = "dynamodb")]
#[path = "../agentcore/table.rs"]
#[allow(dead_code)]
mod table;
mod tasks;

/// The entry point of the child processes that the tests start from this binary; in any other process, an empty test.
#[test]
fn child() {
    processes::run_child();
}

/// Returns the number of rounds, multiplied by `HITL_MATRIX`.
fn rounds(rounds: usize) -> usize {
    let wanted = std::env::var("HITL_MATRIX").map(|times| times.parse().expect("HITL_MATRIX is a number"));
    rounds * wanted.unwrap_or(1).max(1)
}
