//! The refund agent as a process.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::LazyLock,
};

use serde_json::Value;

/// A process of `examples/refund` that serves, and is killed on drop.
pub struct Program {
    child: Child,
    address: String,
    log: BufReader<ChildStdout>,
}

impl Program {
    /// Returns the command of a process whose store is in this folder.
    pub fn command(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&*PROGRAM);
        command.args(arguments).env_clear();
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let kept =
            ["PATH", "HOME", "TMPDIR"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.envs(kept).env("REFUND_DB", folder.join("refund.db")).env("HITL_OPERATORS", "claimed");
        command.envs(settings.iter().copied());
        command
    }

    pub fn start(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut child = Self::command(folder, arguments, settings).stdout(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        // The first line of its log has its address.
        let first: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let address = first["address"].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, address, log }
    }

    /// Reads the log up to a line with this text, and returns the line.
    pub fn line_with(&mut self, text: &str) -> String {
        let mut lines = self.log.by_ref().lines().map(Result::unwrap);
        lines.find(|line| line.contains(text)).expect("the log has ended")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `examples/refund`, built in the profile of this test.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let features = if cfg!(feature = "dynamodb") { "--all-features" } else { "--features=agentcore" };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--workspace", "--example", "refund", features, "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    cargo.arg("--target-dir").arg(profile.parent().unwrap());
    assert!(cargo.status().unwrap().success(), "{cargo:?} failed");
    profile.join("examples/refund")
});
