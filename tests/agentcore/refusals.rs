//! Tests that the reason of a refusal reaches the caller behind AgentCore's service, which replaces each 4xx, and the
//! log.

use std::{
    io::BufRead as _,
    process::{ChildStdout, Command},
};

use futures_util::{SinkExt as _, StreamExt as _};
use hitl::{
    MemoryStore,
    agentcore::{AgentCore, OperatorAuth, TokenVerifier},
};
use reqwest::Response;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    container::{program, start_program},
    issuer::Issuer,
    refund_agent::{Desk, Refunds},
    test_server::{TestServer, read},
};

fn served(settings: impl FnOnce(AgentCore) -> AgentCore) -> TestServer {
    let desk = Desk::new();
    TestServer::with_settings(Refunds::new(desk.clone(), MemoryStore::new()), desk, settings)
}

fn decided(thread: &str, digest: &str, operator: &str) -> Value {
    json!({
        "action": "approve", "thread_id": thread, "digest": digest, "operator": operator, "roles": ["clerk"],
    })
}

/// Returns refused requests about a thread that `mara` has decided, each with its status and its code.
fn refused(digest: &str) -> Vec<(Value, u16, &'static str)> {
    let edit = json!({
        "action": "edit", "thread_id": "open", "digest": "ab".repeat(32), "operator": "noor", "roles": ["clerk"],
        "patch": { "draft": { "dollars": 501 } },
    });
    vec![
        (decided("t", digest, "noor"), 409, "already_decided"),
        (edit, 409, "stale"),
        (json!({ "action": "get", "thread_id": "nobody" }), 404, "unknown_thread"),
        (json!({ "action": "aprove", "thread_id": "t" }), 400, "unknown_action"),
        (json!({ "action": "approve", "thread_id": "t", "digest": digest }), 401, "operator_missing"),
        (json!([1]), 400, "invalid_request"),
        (json!({ "action": "sweep", "scope": "store" }), 400, "invalid_request"),
    ]
}

async fn with_events(served: &TestServer, payload: &Value) -> Response {
    served.post(payload).header("accept", "text/event-stream").send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_an_answer_behind_the_service() {
    for behind in [false, true] {
        let served = served(|served| {
            let served = served.operators(OperatorAuth::claimed());
            if behind { served.behind_service() } else { served }
        });
        let digest = served.waiting("t").await;
        let _ = served.waiting("open").await;
        assert_eq!(served.ask(decided("t", &digest, "mara")).await.0, 200);
        for (payload, status, code) in refused(&digest) {
            // Authentication is the service's, and a schedule reads the status.
            let is_answer = behind && status != 401 && payload["action"] != "sweep";
            let (found, body) = served.ask(payload.clone()).await;
            assert_eq!(
                (found, &body["code"]),
                (if is_answer { 200 } else { status }, &json!(code)),
                "{body}"
            );
            assert!(body["error"].as_str().is_some_and(|error| error.len() > 10), "{body}");
            if code == "already_decided" {
                assert_eq!((&body["by"], &body["verdict"]), (&json!("mara"), &json!("approve")));
            }

            let streamed = with_events(&served, &payload).await;
            let kind = streamed.headers()["content-type"].to_str().unwrap().to_owned();
            let (found, text) = (streamed.status().as_u16(), streamed.text().await.unwrap());
            if is_answer {
                assert_eq!((found, kind.as_str()), (200, "text/event-stream"));
                let event = text.strip_prefix("data: ").unwrap().trim_end();
                assert_eq!(serde_json::from_str::<Value>(event).unwrap(), body);
            } else {
                assert_eq!((found, kind.as_str()), (status, "application/json"));
            }

            // The path of an SDK whose endpoint is this server, not the service.
            let path = served.url("/runtimes/refund/invocations");
            let direct = reqwest::Client::new().post(path).json(&payload).send().await.unwrap();
            let (found, direct) = read(direct).await;
            assert_eq!((found, &direct["code"], &direct["message"]), (status, &json!(code), &body["error"]));
        }
        // A body that is too large, or no JSON, is refused before it is parsed.
        for (body, status, code) in
            [("{".to_owned(), 400, "invalid_json"), (" ".repeat(1024 * 1024 + 1), 413, "too_large")]
        {
            let (found, body) = read(served.raw(body).send().await.unwrap()).await;
            assert_eq!((found, &body["code"]), (if behind { 200 } else { status }, &json!(code)), "{body}");
        }
        // These do not come from the service.
        assert_eq!(served.get("/nothing").send().await.unwrap().status(), 404);
        let foreign = served.post(&json!({})).header("origin", "https://evil.example").send().await.unwrap();
        assert_eq!(foreign.status(), 403);
        assert_eq!(served.desk.paid().len(), 1);
        served.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_and_server_errors_keep_their_status() {
    let issuer = Issuer::new("k1");
    let get = json!({ "action": "get", "thread_id": "t" });
    let tokens = TokenVerifier::from_jwks(&issuer.jwks()).unwrap();
    let verified = served(|served| served.operators(OperatorAuth::verified(tokens)).behind_service());
    for (authorization, code) in
        [(None, "token_missing"), (Some("Bearer x"), "token_invalid"), (Some("Basic eA=="), "token_invalid")]
    {
        let (status, body) = verified.ask_as(authorization, &get).await;
        assert_eq!((status, &body["code"]), (401, &json!(code)), "{body}");
    }
    verified.stop().await;

    // Nothing listens on the discard port.
    let tokens = TokenVerifier::from_url("http://127.0.0.1:9/keys").unwrap();
    let failing = served(|served| served.operators(OperatorAuth::verified(tokens)).behind_service());
    let (status, body) = failing.ask_as(Some(&issuer.bearer("mara", &["clerk"])), &get).await;
    assert_eq!((status, &body["code"]), (503, &json!("keys_unavailable")), "{body}");
    failing.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_on_a_websocket_is_one_message() {
    for behind in [false, true] {
        let served = served(|served| {
            let served = served.operators(OperatorAuth::claimed());
            if behind { served.behind_service() } else { served }
        });
        let digest = served.waiting("t").await;
        assert_eq!(served.ask(decided("t", &digest, "mara")).await.0, 200);
        let url = served.url("/ws").replace("http:", "ws:");
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        for _ in 0..2 {
            socket.send(Message::text(decided("t", &digest, "noor").to_string())).await.unwrap();
            let Message::Text(text) = socket.next().await.unwrap().unwrap() else { panic!() };
            let body: Value = serde_json::from_str(&text).unwrap();
            assert_eq!((&body["code"], &body["by"]), (&json!("already_decided"), &json!("mara")), "{body}");
        }
        drop(socket);
        served.stop().await;
    }
}

/// Returns the next line of the log that a filter for `WARN` and `ERROR` finds.
fn next_warning(log: &mut std::io::BufReader<ChildStdout>) -> Value {
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "the log has ended");
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["level"] == "WARN" || line["level"] == "ERROR" {
            return line;
        }
    }
}

#[tokio::test]
async fn the_log_of_a_refusal_has_names_and_no_values() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = Command::new(program());
    serve.args(["serve", "--listen", "127.0.0.1:0"]).env("REFUND_DB", folder.path().join("refund.db"));
    serve.env("HITL_OPERATORS", "claimed").env("HITL_BEHIND_AGENTCORE", "1");
    let (_child, address, mut log) = start_program(&mut serve);
    let url = format!("http://{address}/invocations");
    let ask = async |payload: &Value, accept: &str| {
        let request = reqwest::Client::new().post(&url).json(payload).header("accept", accept);
        let response =
            request.header("X-Amzn-Bedrock-AgentCore-Runtime-Request-Id", "r-1").send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let message = "Please refund order A-9133, it arrived broken. I paid $149.";
    let (status, started) = ask(&json!({ "thread_id": "t", "message": message }), "*/*").await;
    assert_eq!(status, 200, "{started}");
    let started: Value = serde_json::from_str(&started).unwrap();
    let digest = &started["reviews"][0]["digest"];
    let by = |mut payload: Value, role: &str| {
        payload["thread_id"] = "t".into();
        payload["operator"] = "noor".into();
        payload["roles"] = json!([role]);
        payload
    };
    let other = "ab".repeat(32);
    for (payload, code, known, name, expected) in [
        (
            by(json!({ "action": "approve", "digest": other }), "refund-approver"),
            "stale",
            true,
            "open",
            digest,
        ),
        (
            by(json!({ "action": "approve", "digest": digest }), "guest"),
            "role_missing",
            true,
            "role",
            &json!("refund-approver"),
        ),
        (
            by(json!({ "action": "reject", "digest": digest, "reason": "s3cret" }), "guest"),
            "invalid_request",
            false,
            "role",
            &Value::Null,
        ),
    ] {
        for accept in ["application/json", "text/event-stream"] {
            let (status, body) = ask(&payload, accept).await;
            assert!(status == 200 && body.contains(code), "{status} {body}");
            let line = next_warning(&mut log);
            assert_eq!(
                (&line["code"], &line["thread"], &line["action"], &line["requestId"]),
                (&json!(code), &json!("t"), &payload["action"], &json!("r-1")),
                "{line}"
            );
            // Before a request is parsed, the operator that it claims is not known.
            assert_eq!(line["operator"] == "noor", known, "{line}");
            assert_eq!(&line[name], expected, "{line}");
            assert!(!line.to_string().contains("s3cret"), "{line}");
        }
    }
}
