//! Tests of timeouts: a connection that makes the server wait for too long is closed.
//!
//! The timeouts are short here, and each test waits for the event that its timeout causes.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hitl::{MemoryStore, agentcore::Limits};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    refund_agent::{Desk, Refunds},
    test_server::TestServer,
};

/// A timeout that expires soon. `NEVER` is one that no test reaches.
const SOON: Duration = Duration::from_millis(100);
const NEVER: Duration = Duration::from_secs(3600);

/// Returns limits that no test reaches, to set one of them.
fn without_timeouts() -> Limits {
    Limits::default().headers(NEVER).body(NEVER).response(NEVER).silence(NEVER)
}

fn served(limits: Limits) -> TestServer {
    let desk = Desk::new();
    let agent = Refunds::new(desk.clone(), MemoryStore::new());
    TestServer::with_settings(agent, desk, |served| served.limits(limits))
}

/// Reads until the other side closes the connection, and returns the text.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    // Bytes in flight at the close turn the end of the stream into an error, which counts as closed, too.
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8(said).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_headers_time_out() {
    let served = served(without_timeouts().headers(SOON));
    for sent in ["", "POST /invocations HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        assert_eq!(until_closed(&mut stream).await, "", "{sent:?}");
    }
    // After a request, a connection may wait as long before the next one, with half a head or none.
    for sent in ["", "GET /ping HTTP/1.1\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let whole = "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(format!("{whole}{sent}").as_bytes()).await.unwrap();
        let said = until_closed(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 200 OK") && said.contains("Healthy"), "{sent:?}: {said}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_body_times_out_with_an_error() {
    let served = served(without_timeouts().body(SOON));
    for (kind, code) in [("application/json", "too_slow"), ("text/plain", "unsupported_media_type")] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let head = format!(
            "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let said = until_closed(&mut stream).await;
        assert!(said.contains(code), "{said}");
    }
    served.stop().await;
}

/// A client requests megabytes and reads none of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_response_times_out() {
    let served = served(without_timeouts().response(SOON));
    let message = format!("A-1 {}", "x".repeat(900_000));
    assert_eq!(served.ask(json!({ "thread_id": "t", "message": message })).await.0, 200);
    let get = json!({ "action": "get", "thread_id": "t" }).to_string();
    let ask = format!(
        "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{get}",
        get.len()
    );
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    // The loop writes more than the kernel buffers on both sides. Once the server has closed the connection, writing
    // fails.
    let ended = async {
        loop {
            if let Err(error) = stream.write_all(ask.as_bytes()).await {
                return error;
            }
        }
    };
    let error = ended.await;
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    assert!(matches!(error.kind(), BrokenPipe | ConnectionReset), "{error}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_without_pongs_is_closed() {
    let served = served(without_timeouts().silence(SOON));
    let url = served.url("/ws").replace("http:", "ws:");
    // This client answers no pings: it reads bytes and writes none.
    let (silent, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    let tokio_tungstenite::MaybeTlsStream::Plain(mut stream) = silent.into_inner() else { panic!("TLS") };
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    // At least three pings arrive before the end.
    assert!(said.windows(2).filter(|frame| frame == b"\x89\x00").count() >= 3, "{said:?}");
    // A client that answers is kept: it is still served after many times the timeout.
    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    let mut pings = 0;
    while pings < 20 {
        pings += usize::from(matches!(socket.next().await.unwrap().unwrap(), Message::Ping(_)));
        // The flush sends the pong.
        socket.flush().await.unwrap();
    }
    socket.send(Message::text(json!({ "thread_id": "t", "message": "A-1" }).to_string())).await.unwrap();
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) if text.contains("\"waiting\"") => break,
            _ => {}
        }
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_idle_websocket_is_closed_over_the_limit() {
    let served = served(without_timeouts().sockets(2));
    served.desk.shut();
    let url = served.url("/ws").replace("http:", "ws:");
    let connect = async || tokio_tungstenite::connect_async(&url).await.map(|(socket, _)| socket);
    let start = |thread: &str| Message::text(json!({ "thread_id": thread, "message": "A-1" }).to_string());
    let mut busy = connect().await.unwrap();
    busy.send(start("t")).await.unwrap();
    served.desk.entered.acquire().await.unwrap().forget();
    let mut idle = connect().await.unwrap();
    let mut third = connect().await.unwrap();
    // The idle socket is closed.
    while let Some(Ok(_)) = idle.next().await {}
    third.send(start("u")).await.unwrap();
    served.desk.entered.acquire().await.unwrap().forget();
    // No socket is idle now, so none is closed.
    let error = connect().await.unwrap_err();
    assert!(
        matches!(&error, tokio_tungstenite::tungstenite::Error::Http(answer) if answer.status() == 503),
        "{error}"
    );
    served.desk.open();
    for socket in [&mut busy, &mut third] {
        loop {
            match socket.next().await.unwrap().unwrap() {
                Message::Text(text) if text.contains("\"waiting\"") => break,
                _ => {}
            }
        }
    }
    served.stop().await;
}
