//! A database file that is damaged, truncated, deleted, moved or replaced, while it is closed and while it is open.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use hitl::{Error, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::desk::{Desk, RefundsTurn, said};

struct Files(TempDir);

impl Files {
    /// Creates a ticket that waits, in a file that no process has open.
    async fn closed() -> Self {
        let dir = TempDir::new().unwrap();
        drop(Desk::open(dir.path()).await.unwrap().waits().await);
        Self(dir)
    }

    /// Opens a desk on the file, and reads the open review through it.
    async fn open_and_read(&self) -> Desk {
        let desk = Desk::open(self.dir()).await.unwrap();
        assert_eq!(desk.view().await.reviews.len(), 1);
        desk
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
fn says_damaged(error: &str) {
    assert!(error.contains("threads.db: could not"), "{error}");
    assert!(error.contains("the file is damaged") && error.contains("restore a backup"), "{error}");
}

#[tokio::test]
async fn a_damaged_page_is_not_acted_on_and_a_backup_goes_on() {
    let files = Files::closed().await;
    files.copy("", ".backup");
    files.spoil_the_journal();
    let desk = Desk::open(files.dir()).await.unwrap();
    says_damaged(&said(desk.approve().await));
    says_damaged(&said(desk.start().await));
    assert_eq!(desk.refunds(), 0);
    drop(desk);
    files.copy(".backup", "");
    Desk::open(files.dir()).await.unwrap().goes_on().await;
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_not_opened_and_a_backup_goes_on() {
    let files = Files::closed().await;
    files.copy("", ".backup");
    files.cut_off();
    says_damaged(&said(Desk::open(files.dir()).await.map(drop).map_err(Error::from)));
    files.copy(".backup", "");
    Desk::open(files.dir()).await.unwrap().goes_on().await;
}

#[tokio::test]
async fn a_file_that_is_cut_off_while_it_is_open() {
    let files = Files::closed().await;
    files.copy("", ".backup");
    let desk = Desk::open(files.dir()).await.unwrap();
    files.cut_off();
    says_damaged(&said(desk.approve().await));
    assert_eq!(desk.refunds(), 0);
    drop(desk);
    files.copy(".backup", "");
    Desk::open(files.dir()).await.unwrap().goes_on().await;
}

#[track_caller]
fn says_gone(error: &str) {
    assert!(error.contains("threads.db: it was deleted, moved or replaced"), "{error}");
    assert!(error.contains("restore the file or a backup of it"), "{error}");
}

/// SQLite would continue to write to the deleted file, and the entries would be lost with it.
#[tokio::test]
async fn nothing_is_signed_in_a_file_that_was_deleted() {
    let files = Files::closed().await;
    files.copy("", ".backup");
    let desk = files.open_and_read().await;
    fs::remove_file(files.path("")).unwrap();
    says_gone(&said(desk.approve().await));
    assert_eq!(desk.refunds(), 0);
    drop(desk);
    fs::rename(files.path(".backup"), files.path("")).unwrap();
    Desk::open(files.dir()).await.unwrap().goes_on().await;
}

/// Another process has found no file, and has created a new one.
#[tokio::test]
async fn nothing_is_signed_beside_a_file_that_took_its_place() {
    let files = Files::closed().await;
    let desk = files.open_and_read().await;
    fs::rename(files.path(""), files.path(".moved")).unwrap();
    let other = Desk::open(files.dir()).await.unwrap();
    assert!(matches!(other.agent.view("ticket-A-9133").await, Err(Error::UnknownThread { .. })));
    says_gone(&said(desk.approve().await));
    assert_eq!(desk.refunds(), 0);
    drop((desk, other));
    fs::rename(files.path(".moved"), files.path("")).unwrap();
    Desk::open(files.dir()).await.unwrap().goes_on().await;
}

/// The payment was made before the file was moved. Once the file is back, the same process continues with it.
#[tokio::test]
async fn a_file_that_is_moved_while_an_effect_is_under_way_and_put_back() {
    let files = Files::closed().await;
    let store = SqliteStore::open(files.path("")).await.unwrap();
    let (here, there) = (files.path(""), files.path(".moved"));
    let (from, to) = (here.clone(), there.clone());
    let desk = Desk::with(files.dir(), store, move || fs::rename(&from, &to).unwrap());
    says_gone(&said(desk.approve().await));
    assert_eq!(desk.refunds(), 1);
    fs::rename(there, here).unwrap();
    let RefundsTurn::InDoubt(_) = desk.take_over().await else { panic!("{:?}", desk.view().await) };
    desk.goes_on().await;
}

/// The entries in a deleted WAL are in the database once its last process has closed it. So nothing is lost, as long as
/// nothing more is written to the WAL.
#[tokio::test]
async fn a_wal_that_was_deleted_takes_nothing_along() {
    for end in ["-wal", "-shm"] {
        let dir = TempDir::new().unwrap();
        let desk = Desk::open(dir.path()).await.unwrap().waits().await;
        let files = Files(dir);
        fs::remove_file(files.path(end)).unwrap();
        let error = said(desk.approve().await);
        assert!(error.contains(&format!("threads.db{end}` was deleted or replaced")), "{error}");
        assert!(error.contains("this one last and gracefully"), "{error}");
        assert_eq!(desk.refunds(), 0);
        drop(desk);
        let desk = Desk::open(files.dir()).await.unwrap();
        assert_eq!(desk.history().await, ["started", "ran", "paused"]);
        desk.goes_on().await;
    }
}
