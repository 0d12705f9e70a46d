//! A database file that is damaged, truncated, deleted, moved or replaced, while it is closed and while it is open.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use hitl::{Error, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::refund_agent::{Process, RefundsTurn, error_text};

struct Files(TempDir);

impl Files {
    /// Creates a ticket that waits, in a file that no process has open.
    async fn closed() -> Self {
        let dir = TempDir::new().unwrap();
        drop(Process::open(dir.path()).await.unwrap().started().await);
        Self(dir)
    }

    /// Opens an agent on the file, and reads the open review through it.
    async fn open_and_read(&self) -> Process {
        let process = Process::open(self.dir()).await.unwrap();
        assert_eq!(process.view().await.reviews.len(), 1);
        process
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn path(&self, end: &str) -> PathBuf {
        self.dir().join(format!("threads.db{end}"))
    }

    fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
    }

    /// Overwrites a page of the table that holds the journals.
    fn spoil_the_journal(&self) {
        let connection = Connection::open(self.path("")).unwrap();
        let (page, size): (u32, u32) = connection
            .query_row(
                "SELECT pageno, pgsize FROM dbstat WHERE name = 'hitl_entries' AND pagetype = 'leaf'",
                (),
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        drop(connection);
        let file = OpenOptions::new().write(true).open(self.path("")).unwrap();
        file.write_all_at(&vec![0xa5; size as usize], u64::from((page - 1) * size)).unwrap();
    }

    /// Truncates the file to half of its pages.
    fn cut_off(&self) {
        let file = OpenOptions::new().write(true).open(self.path("")).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2 / 4_096 * 4_096).unwrap();
    }
}

#[track_caller]
fn assert_damaged(error: &str) {
    assert!(error.contains("threads.db: could not"), "{error}");
    assert!(error.contains("the file is damaged") && error.contains("restore a backup"), "{error}");
}

#[tokio::test]
async fn a_damaged_page_is_an_error_and_a_backup_continues() {
    let files = Files::closed().await;
    files.copy("", ".backup");
    files.spoil_the_journal();
    let process = Process::open(files.dir()).await.unwrap();
    assert_damaged(&error_text(process.approve().await));
    assert_damaged(&error_text(process.start().await));
    assert_eq!(process.refunds(), 0);
    drop(process);
    files.copy(".backup", "");
    Process::open(files.dir()).await.unwrap().assert_completes().await;
}

#[tokio::test]
async fn a_truncated_file_is_not_opened_and_a_backup_continues() {
    let files = Files::closed().await;
    files.copy("", ".backup");
    files.cut_off();
    assert_damaged(&error_text(Process::open(files.dir()).await.map(drop).map_err(Error::from)));
    files.copy(".backup", "");
    Process::open(files.dir()).await.unwrap().assert_completes().await;
}

#[tokio::test]
async fn a_file_truncated_while_open_is_an_error() {
    let files = Files::closed().await;
    files.copy("", ".backup");
    let process = Process::open(files.dir()).await.unwrap();
    files.cut_off();
    assert_damaged(&error_text(process.approve().await));
    assert_eq!(process.refunds(), 0);
    drop(process);
    files.copy(".backup", "");
    Process::open(files.dir()).await.unwrap().assert_completes().await;
}

#[track_caller]
fn assert_missing(error: &str) {
    assert!(error.contains("threads.db: it was deleted, moved or replaced"), "{error}");
    assert!(error.contains("restore the file or a backup of it"), "{error}");
}

/// SQLite would continue to write to the deleted file, and the entries would be lost with it.
#[tokio::test]
async fn nothing_is_signed_when_the_file_was_deleted() {
    let files = Files::closed().await;
    files.copy("", ".backup");
    let process = files.open_and_read().await;
    fs::remove_file(files.path("")).unwrap();
    assert_missing(&error_text(process.approve().await));
    assert_eq!(process.refunds(), 0);
    drop(process);
    fs::rename(files.path(".backup"), files.path("")).unwrap();
    Process::open(files.dir()).await.unwrap().assert_completes().await;
}

/// Another process has found no file, and has created a new one.
#[tokio::test]
async fn nothing_is_signed_when_the_file_was_replaced() {
    let files = Files::closed().await;
    let process = files.open_and_read().await;
    fs::rename(files.path(""), files.path(".moved")).unwrap();
    let other = Process::open(files.dir()).await.unwrap();
    assert!(matches!(other.agent.view("ticket-A-9133").await, Err(Error::UnknownThread { .. })));
    assert_missing(&error_text(process.approve().await));
    assert_eq!(process.refunds(), 0);
    drop((process, other));
    fs::rename(files.path(".moved"), files.path("")).unwrap();
    Process::open(files.dir()).await.unwrap().assert_completes().await;
}

/// The payment was made before the file was moved. Once the file is back, the same process continues with it.
#[tokio::test]
async fn a_file_moved_during_an_effect_and_put_back_continues() {
    let files = Files::closed().await;
    let store = SqliteStore::open(files.path("")).await.unwrap();
    let (here, there) = (files.path(""), files.path(".moved"));
    let (from, to) = (here.clone(), there.clone());
    let process = Process::with(files.dir(), store, move || fs::rename(&from, &to).unwrap());
    assert_missing(&error_text(process.approve().await));
    assert_eq!(process.refunds(), 1);
    fs::rename(there, here).unwrap();
    let RefundsTurn::InDoubt(_) = process.take_over().await else { panic!("{:?}", process.view().await) };
    process.assert_completes().await;
}

/// The entries in a deleted WAL are in the database once its last process has closed it. So nothing is lost, as long as
/// nothing more is written to the WAL.
#[tokio::test]
async fn a_deleted_wal_loses_no_entries() {
    for end in ["-wal", "-shm"] {
        let dir = TempDir::new().unwrap();
        let process = Process::open(dir.path()).await.unwrap().started().await;
        let files = Files(dir);
        fs::remove_file(files.path(end)).unwrap();
        let error = error_text(process.approve().await);
        assert!(error.contains(&format!("threads.db{end}` was deleted or replaced")), "{error}");
        assert!(error.contains("this one last and gracefully"), "{error}");
        assert_eq!(process.refunds(), 0);
        drop(process);
        let process = Process::open(files.dir()).await.unwrap();
        assert_eq!(process.history().await, ["started", "ran", "paused"]);
        process.assert_completes().await;
    }
}
