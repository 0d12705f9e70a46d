//! Tests of a process that stops or is killed: running nodes finish, and another process resumes its threads.

use std::time::Duration;

use serde_json::json;

use crate::{container::Container, test_server::TestServer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_running_nodes() {
    let served = TestServer::start();
    served.desk.shut();
    let (agent, desk) = (served.agent.clone(), served.desk.clone());
    let start = tokio::spawn(served.post(&json!({ "thread_id": "t", "message": "A-1" })).send());
    desk.entered.acquire().await.unwrap().forget();
    let stopped = tokio::spawn(served.stop());
    tokio::task::yield_now().await;
    desk.open();
    stopped.await.unwrap();
    assert_eq!(agent.view("t").await.unwrap().standing.as_str(), "waiting");
    // The request from before the stop is answered.
    assert_eq!(start.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_killed_process_is_resumed_and_sigterm_stops_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let message = "Please refund order A-9133, it arrived broken. I paid $149.";
    let mut first = Container::start(folder.path(), &[]);
    let (status, view) = first.ask(&json!({ "thread_id": "t", "message": message })).await;
    assert_eq!(status, 200, "{view}");
    first.kill();

    let mut second = Container::start(folder.path(), &[]);
    let approve = json!({
        "action": "approve", "thread_id": "t", "digest": view["reviews"][0]["digest"],
        "operator": "mara", "roles": ["refund-approver"],
    });
    let (status, view) = second.ask(&approve).await;
    assert_eq!((status, &view["standing"]), (200, &json!("ended")), "{view}");
    let pid = rustix::process::Pid::from_child(&second.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(second.child.wait().unwrap().success());
}

/// A payment that hangs delays the exit by no more than the time that running nodes are given.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_hanging_node_does_not_block_the_exit() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let made = std::process::Command::new("mkfifo").arg(&gate).status().unwrap();
    assert!(made.success());
    let mut container = Container::start(folder.path(), &[("REFUND_GATE", gate.to_str().unwrap())]);
    let message = "Please refund order A-9133, it arrived broken. I paid $149.";
    let (_, view) = container.ask(&json!({ "thread_id": "t", "message": message })).await;
    let approve = json!({
        "action": "approve", "thread_id": "t", "digest": view["reviews"][0]["digest"],
        "operator": "mara", "roles": ["refund-approver"],
    });
    let url = container.url.clone();
    let hanging = tokio::spawn(async move { reqwest::Client::new().post(url).json(&approve).send().await });
    // Opening a FIFO for writing blocks until another process opens it for reading.
    let gate = tokio::task::spawn_blocking(|| std::fs::OpenOptions::new().write(true).open(gate)).await;
    let gate = gate.unwrap().unwrap();
    let pid = rustix::process::Pid::from_child(&container.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = tokio::task::spawn_blocking(move || (container.child.wait().unwrap(), container));
    let (status, container) = tokio::time::timeout(Duration::from_secs(120), ended)
        .await
        .expect("the process does not exit")
        .unwrap();
    assert!(status.success(), "{status}");
    drop((gate, container));
    // The client receives no success.
    assert!(!hanging.await.unwrap().is_ok_and(|answer| answer.status().is_success()));
}
