//! Tests of events as they happen, over SSE and over a WebSocket.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::test_server::TestServer;

/// Returns the JSON of each event in a body.
fn events(text: &str) -> Vec<Value> {
    let data = text.split("\n\n").filter(|event| !event.is_empty() && !event.starts_with(':'));
    data.map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap()).collect()
}

fn names(events: &[Value]) -> Vec<&str> {
    let name =
        |event: &Value| event["entry"]["event"].as_object().map(|event| event.keys().next().unwrap().clone());
    events
        .iter()
        .map(|event| match name(event) {
            Some(name) => ["started", "ran", "paused", "decided", "began", "ended"]
                .into_iter()
                .find(|n| *n == name)
                .unwrap(),
            None if event["thread"].is_object() => "thread",
            None => "error",
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_streamed_while_a_run_is_in_progress() {
    let served = TestServer::start();
    served.desk.shut();
    let start = json!({ "thread_id": "t", "message": "A-1" });
    let response = served.post(&start).header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.bytes_stream();
    // The node is blocked, and the events before it have already been sent.
    let first = body.next().await.unwrap().unwrap();
    assert_eq!(names(&events(std::str::from_utf8(&first).unwrap())), ["started"]);
    served.desk.open();
    let mut rest = String::new();
    while let Some(chunk) = body.next().await {
        rest.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    let rest = events(&rest);
    assert_eq!(names(&rest), ["ran", "paused", "thread"]);
    assert_eq!(rest[2]["thread"]["reviews"][0]["draft"]["order"], "A-1");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_before_the_first_entry_is_no_stream() {
    let served = TestServer::start();
    let get = json!({ "action": "get", "thread_id": "nobody" });
    let response = served.post(&get).header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["content-type"], "application/json");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_connection_cancels_no_run() {
    let served = TestServer::start();
    served.desk.shut();
    let start = json!({ "thread_id": "t", "message": "A-1" });
    let response = served.post(&start).header("accept", "text/event-stream").send().await.unwrap();
    served.desk.entered.acquire().await.unwrap().forget();
    drop(response);
    served.desk.open();
    served.agent.wait_idle().await;
    let view = served.agent.view("t").await.unwrap();
    assert_eq!(view.standing.as_str(), "waiting");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_handles_requests_in_sequence() {
    let served = TestServer::start();
    let url = served.url("/ws").replace("http:", "ws:");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let mut last = json!(null);
    for (payload, expected) in [
        (json!({ "thread_id": "t", "message": "A-1" }), vec!["started", "ran", "paused", "thread"]),
        (json!({ "action": "get", "thread_id": "nobody" }), vec!["error"]),
        (
            json!({ "action": "approve", "thread_id": "t" }),
            vec!["decided", "began", "ran", "ended", "thread"],
        ),
    ] {
        let mut payload = payload;
        if payload["action"] == "approve" {
            payload["digest"] = last;
            payload["operator"] = "mara".into();
            payload["roles"] = json!(["clerk"]);
        }
        last = json!(null);
        socket.send(Message::text(payload.to_string())).await.unwrap();
        let mut told = Vec::new();
        while told.len() < expected.len() {
            let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
            told.push(serde_json::from_str::<Value>(&text).unwrap());
        }
        // An append may hold several entries, whose events are sent in order.
        assert_eq!(names(&told), expected);
        if let Some(digest) = told.last().unwrap()["thread"]["reviews"][0]["digest"].as_str() {
            last = digest.into();
        }
        if expected == ["error"] {
            assert_eq!(told[0]["code"], "unknown_thread");
            last = served.agent.view("t").await.unwrap().reviews[0].digest.to_string().into();
        }
    }
    // An invalid request leaves the connection open.
    socket.send(Message::text("{")).await.unwrap();
    let Message::Text(text) = socket.next().await.unwrap().unwrap() else { panic!() };
    assert!(text.contains("invalid_json"), "{text}");
    assert_eq!(served.desk.paid().len(), 1);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_answers_pings_and_queues_requests() {
    let served = TestServer::start();
    served.desk.shut();
    let url = served.url("/ws").replace("http:", "ws:");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let mut send = async |message| socket.send(message).await.unwrap();
    send(Message::text(json!({ "thread_id": "t", "message": "A-1" }).to_string())).await;
    served.desk.entered.acquire().await.unwrap().forget();
    send(Message::Ping("are you there".into())).await;
    send(Message::text(json!({ "action": "get", "thread_id": "nobody" }).to_string())).await;
    while socket.next().await.unwrap().unwrap() != Message::Pong("are you there".into()) {}
    served.desk.open();
    let texts = async |message: Result<Message, _>| match message.unwrap() {
        Message::Text(text) => Some(text),
        _ => None,
    };
    let mut texts = Box::pin(socket.filter_map(texts));
    while !texts.next().await.unwrap().contains(r#""thread":{"#) {}
    assert!(texts.next().await.unwrap().contains("unknown_thread"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_rejects_a_large_message_and_stays_open() {
    let served = TestServer::start();
    let url = served.url("/ws").replace("http:", "ws:");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    for (payload, code) in [
        (format!(r#"{{"thread_id":"t","message":"{}"}}"#, "x".repeat(1_100_000)), "too_large"),
        (json!({ "action": "get", "thread_id": "nobody" }).to_string(), "unknown_thread"),
    ] {
        socket.send(Message::text(payload)).await.unwrap();
        let text = loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                break text;
            }
        };
        assert!(text.contains(code), "{text}");
    }
    served.stop().await;
}
