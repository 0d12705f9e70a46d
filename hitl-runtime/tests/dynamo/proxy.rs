//! A proxy between a store and its DynamoDB, which records all calls and fails those that it is told to.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallOutcome {
    Success,
    /// The connection breaks before the call has reached the service.
    RequestLost,
    /// The service executes the call, and the connection breaks before the response is sent.
    ResponseLost,
    /// The response is this error; the service does not execute the call.
    Error(&'static str),
    /// The caller crashes at this call and gets no response. `executed`: `true` if the service executes the call.
    CallerCrash {
        executed: bool,
    },
}

/// A recorded call.
#[derive(Clone, Debug)]
pub struct Call {
    pub operation: String,
    pub request: Value,
    pub outcome: CallOutcome,
    /// The capacity units of the call, as the service reports them.
    pub units: f64,
}

impl Call {
    pub fn is_write(&self) -> bool {
        !matches!(self.operation.as_str(), "GetItem" | "Query" | "Scan" | "DescribeTable")
    }
}

type Plan = Box<dyn FnMut(&Call) -> CallOutcome + Send>;

struct ProxyState {
    upstream: String,
    plan: Mutex<Plan>,
    calls: Mutex<Vec<Call>>,
    crashed: Notify,
}

/// A running proxy. Dropping it closes its listener.
pub struct Proxy {
    pub endpoint: String,
    state: Arc<ProxyState>,
    listen: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listen.abort();
    }
}

impl Proxy {
    /// Starts a proxy; `plan` chooses the outcome of each call.
    pub async fn start(upstream: &str, plan: impl FnMut(&Call) -> CallOutcome + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let plan = Mutex::new(Box::new(plan) as Plan);
        let state = Arc::new(ProxyState { upstream, plan, calls: Mutex::default(), crashed: Notify::new() });
        let shared = Arc::clone(&state);
        let listen = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(client, Arc::clone(&shared)));
            }
        });
        Self { endpoint, state, listen }
    }

    /// Starts a proxy that gives one write, by its number from 1 on, the outcome `outcome`, and lets all other calls pass.
    pub async fn at_write(upstream: &str, number: usize, outcome: CallOutcome) -> Self {
        let mut writes = 0;
        Self::start(upstream, move |call| {
            writes += usize::from(call.is_write());
            if call.is_write() && writes == number { outcome } else { CallOutcome::Success }
        })
        .await
    }

    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.lock().unwrap().clone()
    }

    pub fn writes(&self) -> Vec<Call> {
        self.calls().into_iter().filter(Call::is_write).collect()
    }

    /// Runs `work` to its end. Returns `None` if a call with [`CallOutcome::CallerCrash`] ends it first.
    pub async fn until_crash<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.state.crashed.notified() => None,
        }
    }
}

async fn serve(client: TcpStream, state: Arc<ProxyState>) {
    let mut client = BufStream::new(client);
    let mut upstream = BufStream::new(TcpStream::connect(&state.upstream).await.unwrap());
    while let Some((head, body)) = message(&mut client).await {
        let mut call = Call {
            operation: header(&head, "x-amz-target").rsplit('.').next().unwrap().to_owned(),
            request: serde_json::from_slice(&body).unwrap(),
            outcome: CallOutcome::Success,
            units: 0.0,
        };
        call.outcome = (state.plan.lock().unwrap())(&call);
        let number = {
            let mut calls = state.calls.lock().unwrap();
            calls.push(call.clone());
            calls.len() - 1
        };
        match call.outcome {
            CallOutcome::RequestLost => return,
            CallOutcome::Error(error) => {
                write(&mut client, answer(error).as_bytes(), b"").await;
                continue;
            }
            CallOutcome::CallerCrash { executed: false } => {
                state.crashed.notify_one();
                return;
            }
            _ => {}
        }
        let (head, body) = asking_for_units(&head, call.request);
        write(&mut upstream, head.as_bytes(), &body).await;
        let Some((head, body)) = message(&mut upstream).await else { return };
        state.calls.lock().unwrap()[number].units = units(&body);
        match call.outcome {
            CallOutcome::ResponseLost => return,
            CallOutcome::CallerCrash { .. } => {
                state.crashed.notify_one();
                return;
            }
            _ => write(&mut client, head.as_bytes(), &body).await,
        }
    }
}

/// Returns the same request with `ReturnConsumedCapacity` set. No emulator checks the signature, which is then wrong.
fn asking_for_units(head: &str, mut request: Value) -> (String, Vec<u8>) {
    request["ReturnConsumedCapacity"] = "TOTAL".into();
    let body = serde_json::to_vec(&request).unwrap();
    (with_length(head, body.len()), body)
}

/// Returns the capacity units that a response reports.
fn units(body: &[u8]) -> f64 {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let taken = &answer["ConsumedCapacity"];
    let tables = taken.as_array().map_or_else(|| vec![taken], |tables| tables.iter().collect());
    tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum()
}

/// Returns an error as DynamoDB formats it. The text after the colon is the reason for a canceled transaction.
fn answer(error: &str) -> String {
    let (code, reason) = error.split_once(':').unwrap_or((error, ""));
    let reasons = match reason {
        "" => String::new(),
        reason => {
            format!(r#","CancellationReasons":[{{"Code":"None"}},{{"Code":"{reason}","Message":"no"}}]"#)
        }
    };
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"no"{reasons}}}"#);
    let status = if code.starts_with("Internal") { "500 Internal Server Error" } else { "400 Bad Request" };
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads the next message of a connection: its head, and its body.
async fn message(stream: &mut BufStream<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    if header(&head, "transfer-encoding") == "chunked" {
        let body = chunks(stream).await?;
        return Some((with_length(&head, body.len()), body));
    }
    let mut body = vec![0; header(&head, "content-length").parse().expect("a length")];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

/// Reads a body in chunks, as DynamoDB Local sends a large one.
async fn chunks(stream: &mut BufStream<TcpStream>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let length = usize::from_str_radix(line.trim_end(), 16).expect("the length of a chunk");
        let begin = body.len();
        // Each chunk ends with an empty line.
        body.resize(begin + length + 2, 0);
        stream.read_exact(&mut body[begin..]).await.ok()?;
        body.truncate(begin + length);
        if length == 0 {
            return Some(body);
        }
    }
}

/// Returns a head with this length of the body.
fn with_length(head: &str, length: usize) -> String {
    let is_length = |line: &&str| {
        let line = line.to_ascii_lowercase();
        line.starts_with("content-length") || line.starts_with("transfer-encoding")
    };
    let others = head.lines().filter(|line| !line.is_empty() && !is_length(line));
    let head: String = others.map(|line| format!("{line}\r\n")).collect();
    format!("{head}content-length: {length}\r\n\r\n")
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let headers: HashMap<_, _> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    headers.get(name).copied().unwrap_or_default()
}

/// Writes a message. A peer that has closed the connection is not an error.
async fn write(stream: &mut BufStream<TcpStream>, head: &[u8], body: &[u8]) {
    let _ = stream.write_all(head).await;
    let _ = stream.write_all(body).await;
    let _ = stream.flush().await;
}
