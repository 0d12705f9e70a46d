//! A disk that accepts no more bytes.
//!
//! The child sets a limit on the size of all its files, and lifts it again. To SQLite that is a disk failure. (A full
//! disk is mounted in `store_sqlite.rs`, where the system permits it.)

use std::{path::Path, process::Command};

use hitl::SqliteStore;
use hitl_testkit::{FailingStore, Faults, child::ChildProcess};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::{
    child::CHILD,
    refund_agent::{Process, RefundsTurn, error_text},
};

/// Forbids any further write to a file.
fn fill() {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: Some(0), maximum }).unwrap();
}

fn make_room() {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: maximum, maximum }).unwrap();
}

/// Plays a role in a child where a write past the limit is an error and does not kill the process.
fn run_role(role: &str) {
    let dir = TempDir::new().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    ChildProcess::start_as(shell, CHILD, &(role, dir.path())).succeed();
}

#[track_caller]
fn assert_advice(error: &str) {
    assert!(error.contains("threads.db: could not write: the disk failed"), "{error}");
    assert!(error.contains("check the disk"), "{error}");
}

#[test]
fn an_unwritable_verdict_changes_nothing() {
    run_role("fails before");
}

pub async fn fails_before_a_verdict(dir: &Path) {
    let process = Process::open(dir).await.unwrap().started().await;
    let before = serde_json::to_value(process.view().await).unwrap();
    fill();
    assert_advice(&error_text(process.approve().await));
    assert_eq!(serde_json::to_value(process.view().await).unwrap(), before);
    assert_eq!(process.refunds(), 0);
    make_room();
    process.assert_completes().await;
}

#[test]
fn an_effect_whose_result_is_stored_on_retry_is_not_in_doubt() {
    run_role("fails for a moment");
}

pub async fn fails_for_a_moment(dir: &Path) {
    let store =
        FailingStore::new(SqliteStore::open(dir.join("threads.db")).await.unwrap(), Faults::default());
    let process = Process::with(dir, store.clone(), fill).started().await;
    let tidy_up = async {
        store.layer().failed().await;
        store.layer().failed().await;
        make_room();
    };
    let (turn, ()) = tokio::join!(process.approve(), tidy_up);
    assert!(matches!(turn.unwrap(), RefundsTurn::Done(_)));
    process.assert_completes().await;
}

#[test]
fn an_effect_whose_result_is_unwritable_is_in_doubt() {
    run_role("fails for good");
}

pub async fn fails_for_good(dir: &Path) {
    let store = SqliteStore::open(dir.join("threads.db")).await.unwrap();
    let process = Process::with(dir, store, fill).started().await;
    assert_advice(&error_text(process.approve().await));
    assert_eq!(process.refunds(), 1);
    make_room();
    let RefundsTurn::InDoubt(_) = process.take_over().await else { panic!("{:?}", process.view().await) };
    process.assert_completes().await;
}
