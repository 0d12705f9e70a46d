//! What a stop leaves behind.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::LazyLock,
};

use serde_json::{Value, json};

use crate::served::{Served, read};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_what_runs_come_to_its_end() {
    let served = Served::start();
    served.desk.shut();
    let (agent, desk) = (served.agent.clone(), served.desk.clone());
    let start = tokio::spawn(served.post(&json!({ "thread_id": "t", "message": "A-1" })).send());
    desk.entered.acquire().await.unwrap().forget();
    let stopped = tokio::spawn(served.stop());
    tokio::task::yield_now().await;
    desk.open();
    stopped.await.unwrap();
    assert_eq!(agent.view("t").await.unwrap().standing.as_str(), "waiting");
    // Whoever asked before the stop is answered.
    assert_eq!(start.await.unwrap().unwrap().status(), 200);
}

/// The refund agent as a container has it.
struct Container {
    child: std::process::Child,
    url: String,
}

impl Container {
    fn start(folder: &std::path::Path) -> Self {
        let mut child = Command::new(&*PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("REFUND_DB", folder.join("refund.db"))
            .env("HITL_OPERATORS", "claimed")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Its first line says where it listens.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
        let url = format!("http://{}/invocations", line["address"].as_str().unwrap());
        Self { child, url }
    }

    async fn ask(&self, payload: Value) -> (u16, Value) {
        read(reqwest::Client::new().post(&self.url).json(&payload).send().await.unwrap()).await
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `examples/refund` with its server, built like this test.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--example", "refund", "--features", "agentcore", "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    cargo.arg("--target-dir").arg(profile.parent().unwrap());
    assert!(cargo.status().unwrap().success(), "{cargo:?} failed");
    profile.join("examples/refund")
});

#[tokio::test]
async fn another_process_goes_on_where_a_killed_one_was_and_one_that_is_told_to_stop_does() {
    let folder = tempfile::tempdir().unwrap();
    let message = "Please refund order A-9133, it arrived broken. I paid $149.";
    let mut first = Container::start(folder.path());
    let (status, view) = first.ask(json!({ "thread_id": "t", "message": message })).await;
    assert_eq!(status, 200, "{view}");
    first.child.kill().unwrap();
    first.child.wait().unwrap();

    let mut second = Container::start(folder.path());
    let approve = json!({
        "action": "approve", "thread_id": "t", "digest": view["reviews"][0]["digest"],
        "operator": "mara", "roles": ["refund-approver"],
    });
    let (status, view) = second.ask(approve).await;
    assert_eq!((status, &view["standing"]), (200, &json!("ended")), "{view}");
    let pid = rustix::process::Pid::from_child(&second.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(second.child.wait().unwrap().success());
}
