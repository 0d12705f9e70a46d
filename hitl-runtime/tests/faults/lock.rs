//! A database file that another process has locked: a call waits ten seconds for it, and then fails with the reason.

use std::path::Path;

use hitl::Error;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::{
    child::{Part, say, wait},
    desk::{Desk, said},
};

/// Holds the file locked, in a child process, until the parent process says to go on.
pub fn hold(dir: &Path) {
    let connection = Connection::open(dir.join("threads.db")).unwrap();
    // In WAL mode, an exclusive transaction lets others read; a connection in exclusive locking mode does not.
    let alone = dir.join("alone").exists();
    if alone {
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
    }
    connection.execute_batch("BEGIN EXCLUSIVE; UPDATE hitl_threads SET standing = standing").unwrap();
    say("locked");
    wait();
    connection.execute_batch("COMMIT").unwrap();
}

#[track_caller]
fn says_what_to_do(error: &str) {
    assert!(error.contains("threads.db: could not"), "{error}");
    assert!(error.contains("another program held a lock on it for 10s; end that program's open"), "{error}");
}

/// Runs both cases at once, because each of them waits ten seconds.
#[tokio::test]
async fn whoever_is_locked_out_is_told_why_and_goes_on_later() {
    tokio::join!(a_writer_beside_a_transaction(), a_newcomer_beside_an_exclusive_connection());
}

async fn a_writer_beside_a_transaction() {
    let dir = TempDir::new().unwrap();
    let desk = Desk::open(dir.path()).await.unwrap().waits().await;
    let before = serde_json::to_value(desk.view().await).unwrap();
    let mut other = Part::start("lock", dir.path());
    assert_eq!(other.line(), "locked");
    says_what_to_do(&said(desk.approve().await));
    // The thread can still be read, and has not moved.
    assert_eq!(serde_json::to_value(desk.view().await).unwrap(), before);
    assert_eq!(desk.refunds(), 0);
    other.go_on();
    other.end();
    desk.goes_on().await;
}

async fn a_newcomer_beside_an_exclusive_connection() {
    let dir = TempDir::new().unwrap();
    drop(Desk::open(dir.path()).await.unwrap().waits().await);
    std::fs::write(dir.path().join("alone"), "").unwrap();
    let mut other = Part::start("lock", dir.path());
    assert_eq!(other.line(), "locked");
    let opened = Desk::open(dir.path()).await.map(drop).map_err(Error::from);
    says_what_to_do(&said(opened));
    other.go_on();
    other.end();
    Desk::open(dir.path()).await.unwrap().goes_on().await;
}
