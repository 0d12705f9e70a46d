//! The refund agent as a container runs it: as a process.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::LazyLock,
};

use serde_json::Value;

use crate::test_server::read;

pub struct Container {
    pub child: Child,
    pub url: String,
}

impl Container {
    /// Starts a container whose ledger is in this folder, and its threads too unless the settings say otherwise.
    pub fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut child = Command::new(&*PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0"])
            // A container has only the settings that it is given, not those of the machine that runs the test.
            .env_clear()
            .envs(
                ["PATH", "HOME", "TMPDIR"]
                    .into_iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .env("REFUND_DB", folder.join("refund.db"))
            .env("HITL_OPERATORS", "claimed")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The first line of its output has its address.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
        let url = format!("http://{}/invocations", line["address"].as_str().unwrap());
        Self { child, url }
    }

    pub async fn ask(&self, payload: &Value) -> (u16, Value) {
        read(reqwest::Client::new().post(&self.url).json(payload).send().await.unwrap()).await
    }

    /// Kills it without a graceful stop, as if its machine were lost.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A process that is killed on drop.
pub struct KillOnDrop(pub Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program that serves. Returns its process, its address and its log.
pub fn start_program(command: &mut Command) -> (KillOnDrop, SocketAddr, BufReader<ChildStdout>) {
    let mut child = KillOnDrop(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
    (child, line["address"].as_str().unwrap().parse().unwrap(), log)
}

/// Returns the path of the program.
pub fn program() -> &'static Path {
    &PROGRAM
}

/// `examples/refund` with its server, built in the profile of this test.
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
