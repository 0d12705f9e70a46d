//! The race matrix: of many who decide at once one wins, and everybody else is told who, what and when.
//!
//! Racers approve, edit, reject, ask, let expire and resume one thread at once: as processes on one SQLite file, which
//! start each round together, and as tasks of one process for many more rounds. Afterwards each review has one
//! verdict, each signed effect has happened once and no other one at all, and the journal verifies.
//!
//! With the feature `dynamodb` the processes race on a table of DynamoDB too, in an emulator that others wrote.
//!
//! `HITL_MATRIX=10 cargo test --test race` runs ten times as many rounds.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod desk;
#[cfg(feature = "dynamodb")]
#[path = "../../hitl-runtime/tests/dynamo/dynoxide.rs"]
mod dynoxide;
mod judge;
mod processes;
mod racer;
#[path = "../crash/shelf.rs"]
mod shelf;
#[cfg(feature = "dynamodb")]
#[path = "../agentcore/table.rs"]
#[allow(dead_code)]
mod table;
mod tasks;

/// Not a test: what this program does when one of its tests has started it again.
#[test]
fn child() {
    processes::obey();
}

/// So many rounds, or as many times more as `HITL_MATRIX` says.
fn rounds(rounds: usize) -> usize {
    let wanted = std::env::var("HITL_MATRIX").map(|times| times.parse().expect("HITL_MATRIX is a number"));
    rounds * wanted.unwrap_or(1).max(1)
}
