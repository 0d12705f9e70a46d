//! A server with scripted replies, which records its requests.
//!
//! It checks no signature. The shapes are those of the service's own API model, as the SDK reads and writes them. Where
//! a test expects behavior that no published shape describes, its comment says that this is an assumption.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A recorded request: the path, the head in lower case, and the body.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    pub path: String,
    pub head: String,
    pub body: Value,
}

/// A scripted reply, and its end.
pub struct Reply {
    head: String,
    parts: Vec<Vec<u8>>,
    end: End,
}

enum End {
    Close,
    /// Sends nothing more, and keeps the connection open.
    Silence,
}

impl Reply {
    pub fn json(status: u16, body: Value) -> Self {
        let body = body.to_string();
        let head = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        Self { head: format!("HTTP/1.1 {status} x\r\n{head}"), parts: vec![body.into()], end: End::Close }
    }

    /// Returns an error as restJson1 services send it: its code in a header, its message in the body.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, json!({ "message": message })).header("x-amzn-errortype", code)
    }

    pub fn frames(frames: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self::stream("application/vnd.amazon.eventstream", frames)
    }

    pub fn stream(kind: &str, parts: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n");
        Self { head, parts: parts.into_iter().collect(), end: End::Close }
    }

    pub fn silence() -> Self {
        Self { head: String::new(), parts: Vec::new(), end: End::Silence }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    /// Returns the same reply, which keeps the connection open at its end.
    pub fn then_silence(self) -> Self {
        Self { end: End::Silence, ..self }
    }
}

/// Returns an answer of Converse, in the published shape.
pub fn converse_reply(content: Value, stop: &str) -> Reply {
    Reply::json(
        200,
        json!({
            "output": { "message": { "role": "assistant", "content": content } },
            "stopReason": stop,
            "usage": { "inputTokens": 30, "outputTokens": 12, "totalTokens": 42 },
            "metrics": { "latencyMs": 7 }
        }),
    )
}

/// Returns an event of a stream.
pub fn event(kind: &str, payload: Value) -> Vec<u8> {
    frame(&[(":message-type", "event"), (":event-type", kind)], payload)
}

/// Returns an error in a stream.
pub fn exception(kind: &str, message: &str) -> Vec<u8> {
    frame(&[(":message-type", "exception"), (":exception-type", kind)], json!({ "message": message }))
}

fn frame(headers: &[(&'static str, &str)], payload: Value) -> Vec<u8> {
    let mut message = Message::new(payload.to_string())
        .add_header(Header::new(":content-type", HeaderValue::String("application/json".into())));
    for (name, value) in headers {
        message = message.add_header(Header::new(*name, HeaderValue::String((*value).to_owned().into())));
    }
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
}

impl Server {
    /// Starts a server that sends these replies in order, one per connection.
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, mut replies) = (Arc::clone(&requests), replies.into_iter().collect::<VecDeque<_>>());
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let reply = replies.pop_front().expect("the server has no reply left for this request");
                tokio::spawn(serve(connection, reply, Arc::clone(&kept)));
            }
        });
        Self { url, requests }
    }

    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(connection: TcpStream, reply: Reply, requests: Arc<Mutex<Vec<ReceivedRequest>>>) {
    let mut connection = BufReader::new(connection);
    let request = read(&mut connection).await;
    requests.lock().unwrap().push(request);
    let head = format!("{}connection: close\r\n\r\n", reply.head);
    if !reply.head.is_empty() {
        connection.write_all(head.as_bytes()).await.unwrap();
    }
    for part in reply.parts {
        connection.write_all(&part).await.unwrap();
        connection.flush().await.unwrap();
    }
    if let End::Silence = reply.end {
        std::future::pending::<()>().await;
    }
}

async fn read(connection: &mut BufReader<TcpStream>) -> ReceivedRequest {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        connection.read_line(&mut head).await.unwrap();
    }
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    connection.read_exact(&mut body).await.unwrap();
    ReceivedRequest { path, head, body: serde_json::from_slice(&body).unwrap() }
}
