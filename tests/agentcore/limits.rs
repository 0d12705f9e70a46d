//! Tests of the limits on what one client can occupy. The ping is answered throughout.

use std::{
    io::{BufRead as _, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use hitl::{MemoryStore, agentcore::Limits};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    container::{program, start_program},
    refund_agent::{Desk, Refunds},
    test_server::{SESSION, TestServer, read},
};

/// The timeout for a response that should come at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a ping on a connection of its own.
fn ping(address: SocketAddr) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    serde_json::from_str(body).unwrap()
}

/// Returns whether the other side has closed a connection.
fn is_closed(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    match stream.read(&mut [0; 1]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

fn half_open(address: SocketAddr, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(sent.as_bytes()).unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_half_open_requests_delay_no_ping() {
    let served = TestServer::start();
    let mut open = Vec::new();
    for number in 0..1000 {
        open.push(half_open(served.address, "POST /invocations HTTP/1.1\r\nHost: localhost\r\nX-Slow: "));
        if number % 100 == 99 {
            assert_eq!(ping(served.address)["status"], "Healthy");
        }
    }
    // The server has closed the oldest connection.
    assert!(is_closed(&open[0]) && !is_closed(&open[999]));
    assert_eq!(served.ask(json!({ "thread_id": "t", "message": "A-1" })).await.0, 200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies_and_idle_websockets_delay_no_ping() {
    let served = TestServer::start();
    let mut open = Vec::new();
    for _ in 0..600 {
        open.push(half_open(
            served.address,
            "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: 1000000\r\n\r\n{\"thread_id\": ",
        ));
    }
    let url = served.url("/ws").replace("http:", "ws:");
    let mut sockets = Vec::new();
    for _ in 0..80 {
        sockets.push(tokio_tungstenite::connect_async(&url).await.unwrap().0);
    }
    assert_eq!(ping(served.address)["status"], "Healthy");
    assert_eq!(served.ask(json!({ "thread_id": "t", "message": "A-1" })).await.0, 200);
    served.stop().await;
}

/// Requests in flight are never canceled, and their number is limited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_concurrent_requests_is_limited() {
    let served = TestServer::start();
    served.desk.shut();
    let start = |number: usize| served.post(&json!({ "thread_id": format!("t-{number}"), "message": "A-1" }));
    let mut under_way: Vec<_> = (0..128).map(|number| tokio::spawn(start(number).send())).collect();
    for _ in 0..128 {
        served.desk.entered.acquire().await.unwrap().forget();
    }
    let (status, body) = read(start(128).send().await.unwrap()).await;
    assert_eq!((status, &body["code"]), (503, &json!("busy")), "{body}");
    assert_eq!(ping(served.address)["status"], "HealthyBusy");
    served.desk.gate.add_permits(1000);
    for answer in under_way.drain(..) {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
    served.stop().await;
}

/// A client that sends a request and closes its connection still occupies a place until the request has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_closed_connections_count_until_they_end() {
    let desk = Desk::new();
    let agent = Refunds::new(desk.clone(), MemoryStore::new());
    // A quarter of the connections may carry requests in flight: two.
    let limits = Limits::default().connections(8);
    let served = TestServer::with_settings(agent, desk, |served| served.limits(limits));
    served.desk.shut();
    for thread in ["t", "u"] {
        let body = json!({ "thread_id": thread, "message": "A-1" }).to_string();
        let sent = format!(
            "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let stream = half_open(served.address, &sent);
        served.desk.entered.acquire().await.unwrap().forget();
        drop(stream);
    }
    // Each of these has time to find the closed connections.
    for number in 0..50 {
        let third = served.ask(json!({ "thread_id": format!("v-{number}"), "message": "A-1" }));
        let (status, body) = tokio::select! {
            answer = third => answer,
            _ = served.desk.entered.acquire() => panic!("a third request runs"),
        };
        assert_eq!((status, &body["code"]), (503, &json!("busy")), "{body}");
    }
    served.desk.gate.add_permits(100);
    while served.ask(json!({ "thread_id": "w", "message": "A-1" })).await.0 != 200 {}
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_and_wide_json_is_rejected_on_every_channel() {
    let served = TestServer::start();
    let url = served.url("/ws").replace("http:", "ws:");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    for (value, code) in [
        (deep(65), "invalid_json"),
        (deep(100_000), "invalid_json"),
        (format!("[{}]", vec!["0"; 60_000].join(",")), "too_many_values"),
        (format!("[{}]", vec!["{\"a\":{}}"; 60_000].join(",")), "too_many_values"),
    ] {
        let body = format!(r#"{{"thread_id":"t","message":{value}}}"#);
        let (status, answer) = read(served.raw(body.clone()).send().await.unwrap()).await;
        assert_eq!((status, &answer["code"]), (400, &json!(code)), "{answer}");
        assert!(answer.to_string().len() < 1000);
        use futures_util::{SinkExt as _, StreamExt as _};
        socket.send(Message::text(body)).await.unwrap();
        let text = loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                break text;
            }
        };
        assert!(text.contains(code), "{text}");
    }
    assert_eq!(ping(served.address)["status"], "Healthy");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_size_limit_of_requests_is_configurable() {
    let (desk, store) = (Desk::new(), MemoryStore::new());
    let agent = Refunds::new(desk.clone(), store);
    let served = TestServer::with_settings(agent, desk, |served| served.max_request_bytes(1000));
    let start = |length: usize| json!({ "thread_id": "t", "message": format!("A-1 {}", "x".repeat(length)) });
    let (status, body) = served.ask(start(1000)).await;
    assert_eq!((status, &body["limit"]), (413, &json!(1000)), "{body}");
    assert_eq!(served.ask(start(900)).await.0, 200);
    served.stop().await;
}

/// The program runs with a limit of open files that is lower than the number of clients.
#[cfg(target_os = "linux")]
#[test]
fn a_low_file_limit_is_not_exhausted() {
    let folder = tempfile::tempdir().unwrap();
    let mut few = Command::new("sh");
    few.args(["-c", "ulimit -n 128; exec \"$0\" serve --listen 127.0.0.1:0"]).arg(program());
    let (_child, address, _log) = start_program(few.env("REFUND_DB", folder.path().join("refund.db")));
    let _open: Vec<_> = (0..600).map(|_| half_open(address, "GET /ping HTTP/1.1\r\nHost: loc")).collect();
    assert_eq!(ping(address)["status"], "Healthy");
}

/// The ids come from the client, so a long or structured one could forge entries of the log.
#[tokio::test]
async fn only_short_plain_ids_are_logged() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = Command::new(program());
    serve.args(["serve", "--listen", "127.0.0.1:0"]).env("REFUND_DB", folder.path().join("refund.db"));
    let (_child, address, log) = start_program(&mut serve);
    let long = "x".repeat(5000);
    let sent = [
        ("5f1d7a84-7b4e-4c1c-9a34-2f3d8a3a1c11", true),
        (long.as_str(), false),
        ("{\"level\":\"ERROR\"}", false),
        ("two words", false),
    ];
    for (id, _) in sent {
        let get = json!({ "action": "get", "thread_id": "nobody" });
        let request = reqwest::Client::new().post(format!("http://{address}/invocations")).json(&get);
        let request = request.header("X-Amzn-Bedrock-AgentCore-Runtime-Request-Id", id).header(SESSION, id);
        assert!(request.send().await.unwrap().status().is_client_error());
    }
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let answered = lines.filter(|line| line["message"] == "answered").take(sent.len());
    for (line, (id, kept)) in answered.zip(sent) {
        assert_eq!(line["requestId"] == id, kept, "{line}");
        assert_eq!(line["sessionId"] == id, kept, "{line}");
        assert!(line["requestId"].as_str().is_some_and(|id| id.len() == 36), "{line}");
    }
}
