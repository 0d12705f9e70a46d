//! This binary, started again as a child process.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use crate::{disk, lock, permissions, torn_appends};

const ROLE: &str = "HITL_FAULTS_ROLE";
const DIR: &str = "HITL_FAULTS_DIR";

/// Plays the role that the parent process asks for. In a process without such a parent it does nothing.
pub fn run_child() {
    let Ok(role) = env::var(ROLE) else { return };
    let dir = PathBuf::from(env::var_os(DIR).unwrap());
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
    print_line("done");
}

/// Prints a line for the parent process.
pub fn print_line(line: &str) {
    println!("\n@{line}");
}

/// Waits until the parent process writes a line.
pub fn wait() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

pub struct ChildProcess {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl ChildProcess {
    pub fn start(role: &str, dir: &Path) -> Self {
        Self::start_as(Command::new(env::current_exe().unwrap()), role, dir)
    }

    /// Starts a role with this command, to which the arguments of the test binary are added.
    pub fn start_as(mut command: Command, role: &str, dir: &Path) -> Self {
        command.args(["child", "--exact", "--nocapture"]).env(ROLE, role).env(DIR, dir);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Returns the next line that the child marked with `@`.
    pub fn line(&mut self) -> String {
        self.next().expect("the child exited; its output is above")
    }

    fn next(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(said) = line.trim_end().strip_prefix('@') {
                return Some(said.to_owned());
            }
        }
    }

    /// Returns the remaining marked lines of the child, and its exit status.
    pub fn rest(mut self) -> (Vec<String>, ExitStatus) {
        let said = std::iter::from_fn(|| self.next()).collect();
        (said, self.child.wait().unwrap())
    }

    pub fn resume(&mut self) {
        self.child.stdin.as_ref().unwrap().write_all(b"go on\n").unwrap();
    }

    pub fn end(mut self) {
        assert_eq!(self.line(), "done");
        assert!(self.child.wait().unwrap().success());
    }
}
