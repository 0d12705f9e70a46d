//! Tests of an agent's routes in another program's server: their checks and limits apply there too.

use std::net::SocketAddr;

use futures_util::StreamExt as _;
use hitl::{
    MemoryStore,
    agentcore::{AgentCore, Limits, OperatorAuth},
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    refund_agent::{Desk, Refunds},
    test_server::read,
};

/// A server of another program, with an agent in it.
struct MountedServer {
    address: SocketAddr,
    desk: Desk,
    client: reqwest::Client,
}

impl MountedServer {
    async fn start(knows_its_peers: bool, settings: impl FnOnce(AgentCore) -> AgentCore) -> Self {
        let desk = Desk::new();
        let served = AgentCore::new(Refunds::new(desk.clone(), MemoryStore::new()));
        let routes = settings(served).router();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        if knows_its_peers {
            let service = routes.into_make_service_with_connect_info::<SocketAddr>();
            tokio::spawn(async { axum::serve(listener, service).await });
        } else {
            tokio::spawn(async { axum::serve(listener, routes).await });
        }
        Self { address, desk, client: reqwest::Client::new() }
    }

    fn post(&self, payload: &Value) -> reqwest::RequestBuilder {
        self.client.post(format!("http://{}/invocations", self.address)).json(payload)
    }

    async fn ask(&self, payload: &Value) -> (u16, Value) {
        read(self.post(payload).send().await.unwrap()).await
    }
}

fn start(thread: &str) -> Value {
    json!({ "thread_id": thread, "message": "A-1" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_checks_apply_in_any_server() {
    let mounted = MountedServer::start(false, |served| served.max_request_bytes(10_000)).await;
    let deep = format!(r#"{{"thread_id":"t","message":{}{}}}"#, "[".repeat(65), "]".repeat(65));
    let json = |body: &str| mounted.post(&json!({})).body(body.to_owned());
    for (request, status, code) in [
        (mounted.post(&start("t")).header("origin", "https://evil.example"), 403, "foreign_origin"),
        (mounted.post(&start("t")).header("sec-fetch-site", "cross-site"), 403, "foreign_origin"),
        (mounted.post(&start("t")).header("host", "a b"), 400, "invalid_host"),
        (mounted.post(&start(&"t".repeat(20_000))), 413, "too_large"),
        (json(&deep), 400, "invalid_json"),
        (json(r#"{"thread_id":"t","message":"A-1","message":"A-2"}"#), 400, "duplicate_key"),
    ] {
        let (found, body) = read(request.send().await.unwrap()).await;
        assert_eq!((found, &body["code"]), (status, &json!(code)), "{body}");
    }
    assert_eq!(mounted.ask(&start("t")).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrency_limits_apply_in_any_server() {
    let limits = Limits::default().connections(8).sockets(1);
    let mounted = MountedServer::start(false, |served| served.limits(limits)).await;
    mounted.desk.shut();
    let mut under_way = Vec::new();
    for thread in ["t", "u"] {
        under_way.push(tokio::spawn(mounted.post(&start(thread)).send()));
        mounted.desk.entered.acquire().await.unwrap().forget();
    }
    // A quarter of the eight connections may carry requests in flight, and a ping is still answered.
    let (status, body) = mounted.ask(&start("v")).await;
    assert_eq!((status, &body["code"]), (503, &json!("busy")), "{body}");
    let ping = mounted.client.get(format!("http://{}/ping", mounted.address)).send().await.unwrap();
    assert_eq!(read(ping).await.1["status"], "HealthyBusy");
    // The idle socket is closed in favor of a new one.
    let url = format!("ws://{}/ws", mounted.address);
    let (mut first, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    let (_second, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    while let Some(Ok(_)) = first.next().await {}
    mounted.desk.gate.add_permits(100);
    for answer in under_way {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(mounted.ask(&start("v")).await.0, 200);
}

/// Requests whose bodies do not arrive do not block other requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_body_is_closed_for_new_requests_in_any_server() {
    let mounted = MountedServer::start(false, |served| served.limits(Limits::default().connections(2))).await;
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = tokio::net::TcpStream::connect(mounted.address).await.unwrap();
        let head = "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                    Connection: close\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server asks for the body, so the request occupies a connection.
        let mut asked = [0; 25];
        stream.read_exact(&mut asked).await.unwrap();
        assert!(asked.starts_with(b"HTTP/1.1 100 Continue"), "{}", asked.escape_ascii());
        slow.push(stream);
    }
    assert_eq!(mounted.ask(&start("t")).await.0, 200);
    let mut said = String::new();
    slow[0].read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("busy"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claimed_operators_are_accepted_only_from_local_peers() {
    let claimed = |served: AgentCore| served.operators(OperatorAuth::claimed());
    let unknown = MountedServer::start(false, claimed).await;
    let (status, body) = unknown.ask(&start("t")).await;
    assert_eq!((status, &body["code"]), (403, &json!("foreign_peer")), "{body}");
    let near = MountedServer::start(true, claimed).await;
    let (status, body) =
        read(near.post(&start("t")).header("host", "rebound.evil.example").send().await.unwrap()).await;
    assert_eq!((status, &body["code"]), (403, &json!("foreign_peer")), "{body}");
    let (status, view) = near.ask(&start("t")).await;
    assert_eq!(status, 200, "{view}");
    let digest = &view["reviews"][0]["digest"];
    let approve = json!({
        "action": "approve", "thread_id": "t", "digest": digest, "operator": "mara", "roles": ["clerk"],
    });
    assert_eq!(near.ask(&approve).await.1["standing"], "ended");
    let meant = MountedServer::start(false, |served| claimed(served).let_anyone_decide()).await;
    assert_eq!(meant.ask(&start("t")).await.0, 200);
}
