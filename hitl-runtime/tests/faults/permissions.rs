//! A file that can be read and not written, and a directory in which no file can be created.

use std::{fs, path::Path};

use hitl::Error;
use hitl_testkit::child;
use tempfile::TempDir;

use crate::{
    refund_agent::{Process, error_text},
    unprivileged::{self, mode},
};

pub async fn try_to_write(dir: &Path) {
    let process = match Process::open(dir).await {
        Ok(process) => process,
        Err(error) => return child::say(error_text::<()>(Err(Error::from(error)))),
    };
    assert_eq!(process.history().await, ["started", "ran", "paused"]);
    let before = serde_json::to_value(process.view().await).unwrap();
    let error = error_text(process.approve().await);
    assert_eq!(serde_json::to_value(process.view().await).unwrap(), before);
    child::say(error);
}

#[tokio::test]
async fn a_read_only_file_is_an_error_and_changes_nothing() {
    let dir = TempDir::new().unwrap();
    mode(dir.path(), 0o755);
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    let file = home.join("threads.db");
    drop(Process::open(&home).await.unwrap().started().await);

    mode(&file, 0o444);
    mode(&home, 0o777);
    let error = unprivileged::run(dir.path(), &("read only", &home)).remove(0);
    assert!(
        error.contains("threads.db: could not write: this user has no permission to write to it"),
        "{error}"
    );

    // Without the WAL files of the first child, the file can be read even where no file can be created.
    for left in ["threads.db-wal", "threads.db-shm"] {
        let _ = fs::remove_file(home.join(left));
    }
    mode(&home, 0o555);
    let error = unprivileged::run(dir.path(), &("read only", &home)).remove(0);
    mode(&home, 0o755);
    assert!(
        error.contains("threads.db: could not write: this user has no permission to write to it"),
        "{error}"
    );

    mode(&file, 0o644);
    let process = Process::open(&home).await.unwrap();
    assert_eq!(process.history().await, ["started", "ran", "paused"]);
    process.assert_completes().await;
}
