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
use tempfile::TempDir;

use crate::{
    child::{Part, say},
    desk::{Desk, said},
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
    let mut part = Part::start_as(command, "read only", home);
    let said = part.line();
    part.end();
    said
}

pub async fn try_to_write(dir: &Path) {
    let desk = match Desk::open(dir).await {
        Ok(desk) => desk,
        Err(error) => return say(&said::<()>(Err(Error::from(error)))),
    };
    let before = serde_json::to_value(desk.view().await).unwrap();
    let error = said(desk.approve().await);
    assert_eq!(serde_json::to_value(desk.view().await).unwrap(), before);
    say(&error);
}

#[tokio::test]
async fn whoever_may_not_write_is_told_so_and_moves_nothing() {
    let dir = TempDir::new().unwrap();
    mode(dir.path(), 0o755);
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    let file = home.join("threads.db");
    drop(Desk::open(&home).await.unwrap().waits().await);

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
    let desk = Desk::open(&home).await.unwrap();
    assert_eq!(desk.history().await, ["started", "ran", "paused"]);
    desk.goes_on().await;
}
