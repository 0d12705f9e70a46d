//! Tests of the events of a thread.

use std::time::Duration;

use futures_util::StreamExt as _;
use hitl::{Agent, MemoryStore, agentcore::OperatorAuth};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    refund_agent::{Desk, Refunds},
    served::{Served, read},
};

/// Reads events until one of this name, and returns the ids and the names of the entries.
async fn entries_until(response: Response, last: &str) -> Vec<(String, String)> {
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let (mut entries, mut text) = (Vec::new(), String::new());
    let mut bytes = response.bytes_stream();
    let reading = async {
        while let Some(chunk) = bytes.next().await {
            text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
            while let Some((event, rest)) = text.clone().split_once("\n\n") {
                text = rest.to_owned();
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
                let Some(data) = field("data:") else { continue };
                let data: Value = serde_json::from_str(data).unwrap();
                let event = data["entry"]["event"].as_object().unwrap().keys().next().unwrap().clone();
                assert_eq!(field("id:").unwrap(), data["entry"]["place"].to_string());
                entries.push((field("id:").unwrap().to_owned(), event.clone()));
                if event == last {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reading).await.expect("the events end");
    entries
}

fn names(entries: &[(String, String)]) -> Vec<&str> {
    entries.iter().map(|(_, name)| name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_on_after_the_last_event_id() {
    let served = Served::start();
    let digest = served.waiting("t").await;
    let events = async |after: &str, header: Option<&str>| {
        let mut request = served.request(Method::GET, &format!("/v1/threads/t/events{after}"));
        if let Some(header) = header {
            request = request.header("last-event-id", header);
        }
        request.send().await.unwrap()
    };
    let first = entries_until(events("", None).await, "paused").await;
    assert_eq!(names(&first), ["started", "ran", "paused"]);
    assert_eq!(names(&entries_until(events("?after=1", None).await, "paused").await), ["paused"]);

    // A stream that is open while a verdict comes.
    let open = events("?after=0", Some("2")).await;
    let verdict = format!("/v1/threads/t/reviews/{digest}/verdict");
    let (open, (status, _)) =
        tokio::join!(entries_until(open, "ended"), served.post(&verdict, json!({ "verdict": "approve" })));
    assert_eq!((status, names(&open)), (200, vec!["decided", "began", "ran", "ended"]));
    // An `EventSource` does not reconnect after that.
    let (last, _) = open.last().unwrap();
    assert_eq!(events("", Some(last)).await.status(), 204);

    for (path, status, code) in [
        ("/v1/threads/nobody/events", 404, "unknown_thread"),
        ("/v1/threads/t/events?after=x", 400, "invalid_request"),
        ("/v1/threads/t/events?after=900", 400, "invalid_request"),
        ("/v1/threads/hitl:stops/events", 404, "unknown_thread"),
    ] {
        let (found, problem) = read(served.request(Method::GET, path).send().await.unwrap()).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{path}: {problem}");
    }
    served.stop().await;
}

/// The process that serves the events is not the one that runs the thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_another_process_arrive() {
    let store = MemoryStore::new();
    let (runner, front) = (
        Served::with_store(store.clone(), OperatorAuth::claimed()),
        Served::with_store(store, OperatorAuth::claimed()),
    );
    let digest = runner.waiting("t").await;
    let open = front.request(Method::GET, "/v1/threads/t/events?after=2").send().await.unwrap();
    let verdict = format!("/v1/threads/t/reviews/{digest}/verdict");
    let (open, _) =
        tokio::join!(entries_until(open, "ended"), runner.post(&verdict, json!({ "verdict": "approve" })));
    assert_eq!(names(&open), ["decided", "began", "ran", "ended"]);
    // A stop of the server ends the streams.
    let _ = runner.waiting("u").await;
    let open = front.request(Method::GET, "/v1/threads/u/events").send().await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), front.stop());
    ended.await.expect("a stream does not delay the stop");
    let _ = open.bytes().await;
    runner.stop().await;
}

/// More streams than the server holds: the oldest one is closed, and a request is still answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_take_no_place_of_requests() {
    let desk = Desk::new();
    let agent: Agent<Refunds> = Refunds::new(desk.clone(), MemoryStore::new());
    let served = Served::limited(agent, desk, 16);
    let _ = served.waiting("t").await;
    let mut open = Vec::new();
    for _ in 0..6 {
        open.push(served.request(Method::GET, "/v1/threads/t/events").send().await.unwrap());
        assert_eq!(served.get("/v1/threads/t").await.0, 200);
    }
    // Two WebSockets or streams of 16 connections: the first four streams have ended.
    let first = tokio::time::timeout(Duration::from_secs(10), open.remove(0).bytes()).await;
    assert!(first.is_ok(), "the oldest stream is open");
    drop(open);
    served.stop().await;
}
