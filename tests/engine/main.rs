//! Integration tests of the engine through its public API, with real graphs and stores.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod counted;
mod deadlines;
mod each;
mod each_deep;
mod each_versions;
mod edits;
mod effects;
mod exact;
mod forks;
mod halted;
mod history;
mod hostile;
mod new_code;
mod passing;
mod paths;
mod refunds;
mod reproposed;
mod routes;
mod seams;
mod settled;
mod shown;
mod spending;
mod stopped;
mod sweeps;
mod verdicts;
mod widened;
