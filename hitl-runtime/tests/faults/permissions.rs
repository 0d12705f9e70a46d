//! A file that can be read and not written, and a directory in which no file can be created.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::Path,
    process::Command,
};

use hitl::Error;
use hitl_testkit::child::{self, ChildProcess};
use tempfile::TempDir;

use crate::{
    child::CHILD,
    refund_agent::{Process, error_text},
};

const NOBODY: u32 = 65_534;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Returns the error of a process that may not write. Root may write everything, so a child of root runs as an
/// unprivileged user, from a copy of this binary that this user can execute.
fn without_privileges(dir: &Path, home: &Path) -> String {
    let program = dir.join("program");
    // Copied by a child process: if this process wrote the copy, a child that another test starts at the same time
    // could inherit the open file, and executing the copy would fail (`ETXTBSY`).
    let copy = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status().unwrap();
    assert!(copy.success(), "{copy}");
    mode(&program, 0o755);
    let mut command = Command::new(&program);
    command.current_dir(dir);
    if fs::metadata(dir).unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    ChildProcess::start_as(command, CHILD, &("read only", home)).succeed().remove(0)
}

pub async fn try_to_write(dir: &Path) {
    let process = match Process::open(dir).await {
        Ok(process) => process,
        Err(error) => return child::say(error_text::<()>(Err(Error::from(error)))),
    };
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
    let error = without_privileges(dir.path(), &home);
    assert!(
        error.contains("threads.db: could not write: this user has no permission to write to it"),
        "{error}"
    );

    // With the WAL files of the first child, the second one could read even where no file can be created.
    for left in ["threads.db-wal", "threads.db-shm"] {
        let _ = fs::remove_file(home.join(left));
    }
    mode(&home, 0o555);
    let error = without_privileges(dir.path(), &home);
    mode(&home, 0o755);
    assert!(
        error.contains("threads.db: could not open the file") && error.contains("to its directory"),
        "{error}"
    );

    mode(&file, 0o644);
    let process = Process::open(&home).await.unwrap();
    assert_eq!(process.history().await, ["started", "ran", "paused"]);
    process.assert_completes().await;
}
