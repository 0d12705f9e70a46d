//! A child process without the rights of root, which may write everything.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::Path,
    process::Command,
};

use hitl_testkit::child::ChildProcess;
use serde::Serialize;

const NOBODY: u32 = 65_534;

pub fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs the test `child` of this binary, and returns what it said. A child of root runs as an unprivileged user, from a
/// copy of the binary in `dir`, which this user can execute.
pub fn run(dir: &Path, orders: &impl Serialize) -> Vec<String> {
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
    ChildProcess::start_as(command, "child", orders).succeed()
}
