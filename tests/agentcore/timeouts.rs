//! Whoever makes the server wait is waited for so long, and then their connection ends.
//!
//! The times are short here, and each is awaited by what ends with it.

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
    desk::{Desk, Refunds},
    served::Served,
};

/// A time that is over soon, and one that no test waits for.
const SOON: Duration = Duration::from_millis(100);
const NEVER: Duration = Duration::from_secs(3600);

/// No time is over but the one that is set here.
fn patient() -> Limits {
    Limits::default().headers(NEVER).body(NEVER).answer(NEVER).silence(NEVER)
}

fn served(limits: Limits) -> Served {
    let desk = Desk::new();
    let agent = Refunds::new(desk.clone(), MemoryStore::new());
    Served::with(agent, desk, |served| served.limits(limits))
}

/// All that the other side says before it closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    // What is still under way when it closes makes this an error, and an end all the same.
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8(said).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_do_not_come_end_their_connection() {
    let served = served(patient().headers(SOON));
    for sent in ["", "POST /invocations HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        assert_eq!(until_closed(&mut stream).await, "", "{sent:?}");
    }
    // One that has asked is let wait for as long before it asks again, with half a head or none.
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
async fn a_body_that_does_not_come_is_refused_and_its_connection_ends() {
    let served = served(patient().body(SOON));
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

/// A client that asks for megabytes and reads none of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_takes_ends_its_connection() {
    let served = served(patient().answer(SOON));
    let message = format!("A-1 {}", "x".repeat(900_000));
    assert_eq!(served.ask(json!({ "thread_id": "t", "message": message })).await.0, 200);
    let get = json!({ "action": "get", "thread_id": "t" }).to_string();
    let ask = format!(
        "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{get}",
        get.len()
    );
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    // Far more than the kernel holds of both sides. Once nobody reads these either, writing fails.
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
async fn a_socket_whose_other_side_is_silent_ends() {
    let served = served(patient().silence(SOON));
    let url = served.url("/ws").replace("http:", "ws:");
    // Nothing answers its pings: bytes are read, and none are written.
    let (silent, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    let tokio_tungstenite::MaybeTlsStream::Plain(mut stream) = silent.into_inner() else { panic!("TLS") };
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    // Three of four pings, and the end.
    assert!(said.windows(2).filter(|frame| frame == b"\x89\x00").count() >= 3, "{said:?}");
    // One that answers is kept: it is heard after many times that long.
    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    let mut pings = 0;
    while pings < 20 {
        pings += usize::from(matches!(socket.next().await.unwrap().unwrap(), Message::Ping(_)));
        // What answers a ping is sent with this.
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
async fn of_too_many_sockets_the_idlest_ends_and_no_busy_one() {
    let served = served(patient().sockets(2));
    served.desk.shut();
    let url = served.url("/ws").replace("http:", "ws:");
    let connect = async || tokio_tungstenite::connect_async(&url).await.map(|(socket, _)| socket);
    let start = |thread: &str| Message::text(json!({ "thread_id": thread, "message": "A-1" }).to_string());
    let mut busy = connect().await.unwrap();
    busy.send(start("t")).await.unwrap();
    served.desk.entered.acquire().await.unwrap().forget();
    let mut idle = connect().await.unwrap();
    let mut third = connect().await.unwrap();
    // The idle one gave way.
    while let Some(Ok(_)) = idle.next().await {}
    third.send(start("u")).await.unwrap();
    served.desk.entered.acquire().await.unwrap().forget();
    // None is idle now, so that none gives way.
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
