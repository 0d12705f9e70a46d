//! The roles of this binary as a child process.

use std::path::{Path, PathBuf};

use hitl_testkit::child::{ChildProcess, orders};

use crate::{disk, lock, permissions, torn_appends};

/// The name of the test that is the entry point of a child.
pub const CHILD: &str = "child";

/// Plays the role that the parent process asks for. In a process without such a parent it does nothing.
pub fn run_child() {
    let Some((role, dir)) = orders::<(String, PathBuf)>() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        match role.as_str() {
            "fails before" => disk::fails_before_a_verdict(&dir).await,
            "fails for a moment" => disk::fails_for_a_moment(&dir).await,
            "fails for good" => disk::fails_for_good(&dir).await,
            "lock" => lock::hold(&dir),
            "torn" => torn_appends::append(&dir).await,
            "read only" => permissions::try_to_write(&dir).await,
            other => panic!("unknown role of a child process: {other}"),
        }
    });
}

pub fn start(role: &str, dir: &Path) -> ChildProcess {
    ChildProcess::start(CHILD, &(role, dir))
}
