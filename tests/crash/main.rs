//! The crash matrix: nothing is lost and nothing happens twice, wherever a process dies.
//!
//! A child process runs one thread on a real SQLite file and is killed with SIGKILL: before and after each append, at
//! each await, before and after each touch of the world. Another process then finishes the thread as an operator
//! would. The points are found by running on until a run ends without a kill; none is listed by hand.
//!
//! `HITL_MATRIX=10 cargo test --test crash` walks the awaits ten times: where a kill meets a write that is under way,
//! each time is another one.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod case;
mod child;
mod desk;
mod doom;
mod ledger;
mod moves;
mod office;
mod operator;
mod runs;

/// Not a test: what this program does when one of its tests has started it again.
#[test]
fn child() {
    child::obey();
}
