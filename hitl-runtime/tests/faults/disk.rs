//! A disk that accepts no more bytes.
//!
//! The child sets a limit on the size of all its files, and lifts it again. To SQLite that is a disk failure. (A full
//! disk is mounted in `store_sqlite.rs`, where the system permits it.)

use std::{path::Path, process::Command};

use hitl::SqliteStore;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::{
    child::Part,
    desk::{Desk, RefundsTurn, said},
    shaky::Shaky,
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

/// Plays a part in a child where a write past the limit is an error and does not kill the process.
fn play(part: &str) {
    let dir = TempDir::new().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    Part::start_as(shell, part, dir.path()).end();
}

#[track_caller]
fn says_what_to_do(error: &str) {
    assert!(error.contains("threads.db: could not write: the disk failed"), "{error}");
    assert!(error.contains("check the disk"), "{error}");
}

#[test]
fn a_verdict_that_cannot_be_written_moves_nothing() {
    play("fails before");
}

pub async fn fails_before_a_verdict(dir: &Path) {
    let desk = Desk::open(dir).await.unwrap().waits().await;
    let before = serde_json::to_value(desk.view().await).unwrap();
    fill();
    says_what_to_do(&said(desk.approve().await));
    assert_eq!(serde_json::to_value(desk.view().await).unwrap(), before);
    assert_eq!(desk.refunds(), 0);
    make_room();
    desk.goes_on().await;
}

#[test]
fn an_effect_whose_end_can_be_written_a_moment_later_is_not_in_doubt() {
    play("fails for a moment");
}

pub async fn fails_for_a_moment(dir: &Path) {
    let store = Shaky::new(SqliteStore::open(dir.join("threads.db")).await.unwrap());
    let desk = Desk::with(dir, store.clone(), fill).waits().await;
    let tidy_up = async {
        store.failed().await;
        store.failed().await;
        make_room();
    };
    let (turn, ()) = tokio::join!(desk.approve(), tidy_up);
    assert!(matches!(turn.unwrap(), RefundsTurn::Done(_)));
    desk.goes_on().await;
}

#[test]
fn an_effect_whose_end_cannot_be_written_is_in_doubt_and_not_repeated() {
    play("fails for good");
}

pub async fn fails_for_good(dir: &Path) {
    let store = SqliteStore::open(dir.join("threads.db")).await.unwrap();
    let desk = Desk::with(dir, store, fill).waits().await;
    says_what_to_do(&said(desk.approve().await));
    assert_eq!(desk.refunds(), 1);
    make_room();
    let RefundsTurn::InDoubt(_) = desk.take_over().await else { panic!("{:?}", desk.view().await) };
    desk.goes_on().await;
}
