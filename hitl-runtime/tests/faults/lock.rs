//! A database file that another process has locked: a call waits ten seconds for it, and then fails with the reason.

use std::path::Path;

use hitl::Error;
use hitl_testkit::child;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::{
    child::start,
    refund_agent::{Process, error_text},
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
    child::say("locked");
    child::wait();
    connection.execute_batch("COMMIT").unwrap();
}

#[track_caller]
fn assert_advice(error: &str) {
    assert!(error.contains("threads.db: could not"), "{error}");
    assert!(error.contains("another program held a lock on it for 10s; end that program's open"), "{error}");
}

/// Runs both cases at once, because each of them waits ten seconds.
#[tokio::test]
async fn a_locked_file_is_an_error_and_the_caller_can_retry() {
    tokio::join!(a_writer_beside_a_transaction(), a_newcomer_beside_an_exclusive_connection());
}

async fn a_writer_beside_a_transaction() {
    let dir = TempDir::new().unwrap();
    let process = Process::open(dir.path()).await.unwrap().started().await;
    let before = serde_json::to_value(process.view().await).unwrap();
    let mut other = start("lock", dir.path());
    assert_eq!(other.line().as_deref(), Some("locked"));
    assert_advice(&error_text(process.approve().await));
    // The thread can still be read, and has not moved.
    assert_eq!(serde_json::to_value(process.view().await).unwrap(), before);
    assert_eq!(process.refunds(), 0);
    other.succeed();
    process.assert_completes().await;
}

async fn a_newcomer_beside_an_exclusive_connection() {
    let dir = TempDir::new().unwrap();
    drop(Process::open(dir.path()).await.unwrap().started().await);
    std::fs::write(dir.path().join("alone"), "").unwrap();
    let mut other = start("lock", dir.path());
    assert_eq!(other.line().as_deref(), Some("locked"));
    let opened = Process::open(dir.path()).await.map(drop).map_err(Error::from);
    assert_advice(&error_text(opened));
    other.succeed();
    Process::open(dir.path()).await.unwrap().assert_completes().await;
}
