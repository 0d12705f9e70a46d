//! Stores, disks and files that fail under an agent. Each failure is a typed error with advice, leaves nothing partly
//! done, and lets the thread continue once its cause is gone.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod child;
mod disk;
mod file;
mod lock;
mod permissions;
mod refund_agent;
mod retries;
mod torn_appends;
mod unprivileged;

/// The entry point of the child processes that the tests start from this binary; in any other process, an empty test.
#[test]
fn child() {
    child::run_child();
}
