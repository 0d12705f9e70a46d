//! Tests of the events of a thread.

use std::time::Duration;

use futures_util::StreamExt as _;
use hitl::{Agent, MemoryStore, agentcore::OperatorAuth};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    refund_agent::{Desk, Refunds, TicketInput},
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

/// More streams than the server holds: the oldest ones are closed, and a request is still answered.
async fn open_more_streams_than_are_held(served: Served) {
    let input = TicketInput { message: "A-9133 arrived broken".into() };
    let _ = served.agent.start("t", input).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..6 {
        open.push(served.request(Method::GET, "/v1/threads/t/events").send().await.unwrap());
        assert_eq!(served.get("/v1/threads/t").await.0, 200);
    }
    // Two WebSockets or streams of 16 connections: the first four streams have ended, and the last two are open.
    let last = open.split_off(4);
    for first in open {
        let ended = tokio::time::timeout(Duration::from_secs(10), first.bytes()).await;
        assert!(ended.is_ok(), "one of the oldest streams is open");
    }
    reach_the_end(&served, last).await;
    served.stop().await;
}

/// Approves the review of `t`, and checks that these streams of its events are open until its end.
async fn reach_the_end(served: &Served, streams: Vec<Response>) {
    let digest = served.agent.view("t").await.unwrap().reviews[0].digest;
    let verdict = format!("/v1/threads/t/reviews/{digest}/verdict");
    let (read, (status, view)) = tokio::join!(
        futures_util::future::join_all(streams.into_iter().map(|stream| entries_until(stream, "ended"))),
        served.post(&verdict, json!({ "verdict": "approve" }))
    );
    assert_eq!(status, 200, "{view}");
    for entries in read {
        assert_eq!(names(&entries).last(), Some(&"ended"), "{entries:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_take_no_place_of_requests() {
    let desk = Desk::new();
    let agent: Agent<Refunds> = Refunds::new(desk.clone(), MemoryStore::new());
    open_more_streams_than_are_held(Served::limited(agent, desk, 16)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_a_mounted_router_take_no_place_of_requests() {
    let desk = Desk::new();
    let agent: Agent<Refunds> = Refunds::new(desk.clone(), MemoryStore::new());
    open_more_streams_than_are_held(Served::mounted(agent, desk, 16).await).await;
}

/// The connection on which a stream was closed is closed too: its server no longer counts it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_stream_closes_its_connection() {
    let desk = Desk::new();
    let agent: Agent<Refunds> = Refunds::new(desk.clone(), MemoryStore::new());
    let served = Served::limited(agent, desk, 8);
    let _ = served.waiting("t").await;
    for _ in 0..8 {
        let mut oldest = tokio::net::TcpStream::connect(served.address).await.unwrap();
        let head = "GET /v1/threads/t/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
        oldest.write_all(head.as_bytes()).await.unwrap();
        let mut byte = [0];
        oldest.read_exact(&mut byte).await.unwrap();
        let newest = served.request(Method::GET, "/v1/threads/t/events").send().await.unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(10), oldest.read_to_end(&mut Vec::new())).await;
        assert!(closed.is_ok(), "the connection of the oldest stream is open");
        drop(newest);
    }
    served.stop().await;
}

/// One stream of eight connections, which no request without a stream replaces.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_opens_no_stream_closes_none() {
    let desk = Desk::new();
    let agent: Agent<Refunds> = Refunds::new(desk.clone(), MemoryStore::new());
    let served = Served::limited(agent, desk, 8);
    let ended = served.waiting("ended").await;
    let verdict = format!("/v1/threads/ended/reviews/{ended}/verdict");
    assert_eq!(served.post(&verdict, json!({ "verdict": "approve" })).await.0, 200);
    let last = served.agent.view("ended").await.unwrap().place;
    let _ = served.waiting("t").await;

    let open = served.request(Method::GET, "/v1/threads/t/events").send().await.unwrap();
    for (method, path, status) in [
        (Method::GET, "/v1/threads/nobody/events".to_owned(), 404),
        (Method::GET, "/v1/threads/t/events?after=900".to_owned(), 400),
        (Method::GET, "/v1/threads/t/events?limit=1".to_owned(), 400),
        (Method::GET, format!("/v1/threads/ended/events?after={last}"), 204),
        (Method::HEAD, "/v1/threads/t/events".to_owned(), 200),
        (Method::HEAD, "/v1/threads/nobody/events".to_owned(), 404),
    ] {
        let answered = served.request(method.clone(), &path).send().await.unwrap();
        assert_eq!(answered.status(), status, "{method} {path}");
        if status == 200 {
            assert_eq!(answered.headers()["content-type"], "text/event-stream");
        }
    }
    reach_the_end(&served, vec![open]).await;
    served.stop().await;
}

/// One request at a time is executed on four connections, and the opening of a stream is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_opening_of_a_stream_is_limited_as_a_request_is() {
    let desk = Desk::new();
    let agent: Agent<Refunds> = Refunds::new(desk.clone(), MemoryStore::new());
    let served = Served::limited(agent, desk, 4);
    let _ = served.waiting("t").await;
    served.desk.shut();
    let start = json!({ "thread_id": "slow", "input": { "message": "A-9133 arrived broken" } });
    let slow = tokio::spawn(served.request(Method::POST, "/v1/threads").json(&start).send());
    served.desk.entered.acquire_many(2).await.unwrap().forget();
    for path in ["/v1/threads/t/events", "/v1/openapi.json"] {
        let answered = served.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answered.status(), 503, "{path}");
        let (status, problem) = read(answered).await;
        assert_eq!((status, &problem["code"]), (503, &json!("busy")), "{path}: {problem}");
    }
    served.desk.open();
    assert_eq!(slow.await.unwrap().unwrap().status(), 200);
    let open = served.request(Method::GET, "/v1/threads/t/events").send().await.unwrap();
    // The open stream takes no part in that limit.
    reach_the_end(&served, vec![open]).await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_parameter_of_a_stream_is_named() {
    let served = Served::start();
    let _ = served.waiting("t").await;
    for (query, header, name) in [
        ("?limit=1", None, "limit"),
        ("?from=0", None, "from"),
        ("?sort=asc", None, "sort"),
        ("?after=x", None, "after"),
        ("?after=900", None, "after"),
        ("?after=0", Some("x"), "Last-Event-ID"),
        ("", Some("900"), "Last-Event-ID"),
        ("", Some("-1"), "Last-Event-ID"),
        ("", Some("\u{e9}"), "Last-Event-ID"),
    ] {
        let mut request = served.request(Method::GET, &format!("/v1/threads/t/events{query}"));
        if let Some(header) = header {
            request = request.header("last-event-id", header);
        }
        let answered = request.send().await.unwrap();
        assert_eq!(answered.status(), 400, "{query} {header:?}");
        let (status, problem) = read(answered).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_request")), "{query}: {problem}");
        assert_eq!(problem["errors"][0]["path"], name, "{query} {header:?}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(&format!("`{name}`")), "{problem}");
    }
    let open = served.request(Method::GET, "/v1/threads/t/events?operator=mara&roles=clerk&after=1");
    assert_eq!(names(&entries_until(open.send().await.unwrap(), "paused").await), ["paused"]);
    served.stop().await;
}
