//! Stores, disks and files that fail under an agent: a typed error that says what to do, nothing by halves, and a
//! thread that goes on once the fault is gone.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod child;
mod desk;
mod disk;
mod file;
mod lock;
mod patience;
mod rights;
mod shaky;
mod torn;

/// Not a test: what this program does when one of its tests has started it again.
#[test]
fn child() {
    child::obey();
}
