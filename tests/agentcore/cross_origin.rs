//! Tests of requests that a foreign web page sends through a browser on this machine.

use std::process::Command;

use hitl::{
    MemoryStore,
    agentcore::{AgentCore, OperatorAuth},
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest as _};

use crate::{
    container::{program, start_program},
    refund_agent::{Desk, Refunds},
    test_server::{TestServer, read},
};

/// Sends a request as bytes. Returns the status and the JSON of the response.
async fn raw(served: &TestServer, request: String) -> (u16, Value) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(served.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

fn posted(hosts: &str, body: &str) -> String {
    format!(
        "POST /invocations HTTP/1.1\r\n{hosts}Content-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_origin_cannot_sign() {
    let served = TestServer::start();
    let digest = served.waiting("t").await;
    let approve = json!({
        "action": "edit", "thread_id": "t", "digest": digest, "patch": { "draft": { "dollars": 500 } },
        "operator": "mara", "roles": ["clerk"],
    });
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let (status, body) = read(served.post(&approve).header(name, value).send().await.unwrap()).await;
        assert_eq!((status, &body["code"]), (403, &json!("foreign_origin")), "{name} {value}: {body}");
        let mut request = served.url("/ws").replace("http:", "ws:").into_client_request().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
        let error = tokio_tungstenite::connect_async(request).await.unwrap_err();
        let tungstenite::Error::Http(answer) = error else { panic!("{error}") };
        assert_eq!(answer.status(), 403, "{name} {value}");
    }
    // These are content types that a page may send without a preflight request.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        let mut request = reqwest::Client::new().post(served.url("/invocations")).body(approve.to_string());
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        let (status, body) = read(request.send().await.unwrap()).await;
        assert_eq!((status, &body["code"]), (415, &json!("unsupported_media_type")), "{kind}: {body}");
    }
    assert!(served.desk.paid().is_empty());
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_an_allowed_origin_is_served() {
    let desk = Desk::new();
    let agent = Refunds::new(desk.clone(), MemoryStore::new());
    let served = TestServer::with_settings(agent, desk, |served| {
        served.operators(OperatorAuth::claimed()).allow_origin("https://desk.example")
    });
    let mut request = served.url("/ws").replace("http:", "ws:").into_client_request().unwrap();
    request.headers_mut().insert("origin", "https://desk.example".parse().unwrap());
    request.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    tokio_tungstenite::connect_async(request).await.unwrap();
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_or_repeated_host_header_is_rejected() {
    let served = TestServer::start();
    let start = json!({ "thread_id": "t", "message": "A-1" }).to_string();
    let ours = format!("Host: {}\r\n", served.address);
    for (hosts, status, code) in [
        ("Host: rebound.evil.example\r\n", 403, "foreign_host"),
        ("Host: 192.0.2.1:8080\r\n", 403, "foreign_host"),
        ("", 400, "invalid_host"),
        (&*ours.repeat(2), 400, "invalid_host"),
        (&*format!("{ours}Host: rebound.evil.example\r\n"), 400, "invalid_host"),
        ("Host: a b\r\n", 400, "invalid_host"),
    ] {
        let (found, body) = raw(&served, posted(hosts, &start)).await;
        assert_eq!((found, &body["code"]), (status, &json!(code)), "{hosts}: {body}");
    }
    assert_eq!(raw(&served, posted(&ours, &start)).await.0, 200);
    assert_eq!(raw(&served, posted("Host: localhost\r\n", &start)).await.0, 200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_keys_and_headers_are_rejected() {
    let served = TestServer::start();
    let digest = served.waiting("t").await;
    let by = r#""operator":"mara","roles":["clerk"]"#;
    for body in [
        r#"{"thread_id":"u","thread_id":"v","message":"A-1"}"#.to_owned(),
        r#"{"thread_id":"u","message":"A-1","message":"A-2"}"#.to_owned(),
        format!(
            r#"{{"action":"edit","thread_id":"t","digest":"{digest}",{by},"patch":{{"draft":{{"dollars":1,"dollars":500}}}}}}"#
        ),
        format!(r#"{{"action":"reject","\u0061ction":"approve","thread_id":"t","digest":"{digest}",{by}}}"#),
    ] {
        let (status, answer) = read(served.raw(body.clone()).send().await.unwrap()).await;
        assert_eq!((status, &answer["code"]), (400, &json!("duplicate_key")), "{body}: {answer}");
    }
    assert!(served.desk.paid().is_empty());
    assert_eq!(served.agent.view("t").await.unwrap().standing.as_str(), "waiting");
    served.stop().await;
}

/// On an address that other machines reach, any caller could claim any name.
#[tokio::test]
async fn claimed_operators_need_an_opt_in_on_public_addresses() {
    let listen = || std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let agent =
        || AgentCore::new(Refunds::new(Desk::new(), MemoryStore::new())).operators(OperatorAuth::claimed());
    let error = agent().serve_until(listen(), async {}).await.unwrap_err();
    assert!(error.to_string().contains("--let-anyone-decide"), "{error}");
    agent().let_anyone_decide().serve_until(listen(), async {}).await.unwrap();
    let silent = AgentCore::new(Refunds::new(Desk::new(), MemoryStore::new()));
    silent.serve_until(listen(), async {}).await.unwrap();
}

/// Checks the same for the program, which is configured by its environment.
#[test]
fn the_program_needs_the_same_opt_in() {
    const KEYS: &str = r#"{"keys":[]}"#;
    let serve = |arguments: &[&str], settings: &[(&str, &str)]| {
        let mut serve = Command::new(program());
        serve.arg("serve").args(arguments).envs(settings.iter().copied()).env("HITL_STORE", "memory");
        serve
    };
    let wide = ["--listen", "0.0.0.0:0"];
    let claimed = ("HITL_OPERATORS", "claimed");
    for (mut serve, words) in [
        (serve(&wide, &[claimed]), "--let-anyone-decide"),
        (serve(&wide, &[claimed, ("HITL_LET_ANYONE_DECIDE", "0")]), "must be `1`"),
        (serve(&[], &[claimed, ("HITL_JWKS", KEYS)]), "unset one"),
        (serve(&["--let-anyone-decide"], &[claimed, ("HITL_JWKS", KEYS)]), "unset one"),
    ] {
        let output = serve.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(words), "{:?}: {said}", output.status);
    }
    for mut serve in [
        serve(&["--listen", "127.0.0.1:0"], &[claimed]),
        serve(&["--listen", "0.0.0.0:0", "--let-anyone-decide"], &[claimed]),
        serve(&wide, &[claimed, ("HITL_LET_ANYONE_DECIDE", "1")]),
    ] {
        let (_child, address, _log) = start_program(&mut serve);
        assert_ne!(address.port(), 0);
    }
}
