//! Tests of each action over HTTP, of two containers on one store, and of the ping.

use hitl::{
    MemoryStore,
    agentcore::{OperatorAuth, session_id},
};
use serde_json::json;

use crate::test_server::{SESSION, TestServer, read};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_from_its_start_to_its_end() {
    let served = TestServer::start();
    let start = json!({ "action": "start", "thread_id": "ticket-A-9133", "input": { "message": "A-9133 is broken" } });
    let response = served.post(&start).send().await.unwrap();
    let session = session_id(&"ticket-A-9133".try_into().unwrap());
    assert_eq!(response.headers()[SESSION], session.as_str());
    let (status, view) = read(response).await;
    assert_eq!(status, 200);
    // The response has the open review, with the draft, its digest and its JSON Schema.
    assert_eq!((&view["standing"], &view["thread"]), (&json!("waiting"), &json!("ticket-A-9133")));
    let review = &view["reviews"][0];
    assert_eq!(review["draft"], json!({ "order": "A-9133", "dollars": 149 }));
    assert_eq!(review["schema"]["properties"]["dollars"]["description"], "US dollars.");
    assert_eq!(review["verdicts"], json!(["approve", "edit", "reject", "ask"]));

    let by = json!({ "operator": "mara", "roles": ["clerk"], "thread_id": "ticket-A-9133" });
    let verdict = |more: serde_json::Value| {
        let mut payload = by.clone();
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        payload
    };
    let ask =
        verdict(json!({ "action": "ask", "digest": review["digest"], "question": "Is there a photo?" }));
    let (status, view) = served.ask(ask).await;
    assert_eq!((status, &view["reviews"][0]["draft"]["dollars"]), (200, &json!(99)), "{view}");
    let digest = &view["reviews"][0]["digest"];
    let edit =
        verdict(json!({ "action": "edit", "digest": digest, "patch": { "draft": { "dollars": 120 } } }));
    let (status, view) = served.ask(edit.clone()).await;
    assert_eq!((status, &view["standing"]), (200, &json!("ended")), "{view}");
    assert_eq!(view["output"], json!({ "outcome": "120 dollars for A-9133, signed by mara" }));
    // The same verdict is sent again.
    let (status, refusal) = served.ask(edit).await;
    assert_eq!((status, &refusal["code"], &refusal["by"]), (409, &json!("already_decided"), &json!("mara")));
    assert_eq!(served.desk.paid().len(), 1);

    let (_, history) =
        served.ask(json!({ "action": "history", "thread_id": "ticket-A-9133", "limit": 4 })).await;
    assert_eq!((history["entries"].as_array().unwrap().len(), &history["next"]), (4, &json!(4)));
    let decided = &history["entries"][3]["event"]["decided"];
    // Her name is claimed, not verified.
    assert_eq!((&decided["operator"], &decided["unverified"]), (&json!("mara"), &json!(true)), "{history}");
    let (_, rest) = served.ask(json!({ "action": "history", "thread_id": "ticket-A-9133", "from": 4 })).await;
    assert_eq!(rest["next"], json!(null));
    let (status, view) = served.ask(json!({ "action": "get", "thread_id": "ticket-A-9133" })).await;
    assert_eq!((status, &view["standing"]), (200, &json!("ended")));
    let (status, view) = served.ask(json!({ "action": "resume", "thread_id": "ticket-A-9133" })).await;
    assert_eq!((status, &view["standing"]), (200, &json!("ended")), "{view}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_reports_the_outcome_and_signs_nothing() {
    let served = TestServer::start();
    let digest = served.waiting("t").await;
    let before = served.agent.verify("t").await.unwrap();
    let preview = |more: serde_json::Value| {
        let mut payload = json!({
            "action": "preview", "thread_id": "t", "digest": digest, "operator": "mara", "roles": ["clerk"],
        });
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        payload
    };
    let draft = |dollars: u32| json!({ "order": "A-9133", "dollars": dollars });
    let patch = json!({ "draft": { "dollars": 120 } });
    for (asked, signs) in [
        (json!({ "verdict": "approve" }), draft(149)),
        (json!({ "verdict": "edit", "patch": patch }), draft(120)),
        (json!({ "verdict": { "action": "edit", "patch": patch } }), draft(120)),
        (json!({ "verdict": { "edit": { "patch": patch } } }), draft(120)),
        (json!({ "verdict": { "action": "reject", "reason": "other" } }), json!(null)),
        (json!({ "verdict": "ask", "question": "Why?" }), json!(null)),
    ] {
        let (status, answer) = served.ask(preview(asked.clone())).await;
        assert_eq!(
            (status, &answer["thread"], &answer["digest"], &answer["signs"]),
            (200, &json!("t"), &json!(digest), &signs),
            "{asked}: {answer}"
        );
    }
    for (asked, status, code) in [
        (json!({ "verdict": "edit", "patch": { "draft": { "dollars": 501 } } }), 422, "invalid"),
        (json!({ "verdict": "approve", "roles": ["guest"] }), 403, "role_missing"),
        (json!({ "verdict": "approve", "digest": "ab".repeat(32) }), 409, "stale"),
        (json!({ "verdict": "start" }), 400, "invalid_request"),
    ] {
        let (found, answer) = served.ask(preview(asked.clone())).await;
        assert_eq!((found, &answer["code"]), (status, &json!(code)), "{asked}: {answer}");
    }
    assert_eq!(served.agent.verify("t").await.unwrap(), before);
    assert!(served.desk.paid().is_empty());
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_may_have_its_input_at_the_top_level() {
    let served = TestServer::start();
    for (thread, payload) in [
        ("flat", json!({ "action": "start", "thread_id": "flat", "message": "A-1 is broken" })),
        ("bare", json!({ "thread_id": "bare", "message": "A-1 is broken" })),
        ("prompt", json!({ "thread_id": "prompt", "prompt": "A-1 is broken" })),
    ] {
        let (status, view) = served.ask(payload).await;
        assert_eq!(
            (status, &view["thread"], &view["standing"]),
            (200, &json!(thread), &json!("waiting")),
            "{view}"
        );
    }
    // Callers of a hosted agent send no thread, but a session.
    let session = "0f9a3c52-7f0e-4e37-9f4e-2f7d4a1f6f0b";
    let response =
        served.post(&json!({ "prompt": "A-1 is broken" })).header(SESSION, session).send().await.unwrap();
    assert_eq!(response.headers()[SESSION], session);
    assert_eq!(read(response).await.1["thread"], session);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_container_continues_and_one_of_two_verdicts_wins() {
    let store = MemoryStore::new();
    let first = TestServer::with_store(store.clone(), OperatorAuth::claimed());
    let digest = first.waiting("t").await;
    first.stop().await;

    let (one, two) = (
        TestServer::with_store(store.clone(), OperatorAuth::claimed()),
        TestServer::with_store(store, OperatorAuth::claimed()),
    );
    let approve = |name: &str| json!({ "action": "approve", "thread_id": "t", "digest": digest, "operator": name, "roles": ["clerk"] });
    let (a, b) = tokio::join!(one.ask(approve("mara")), two.ask(approve("noor")));
    let mut statuses = [a.0, b.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{a:?} {b:?}");
    one.agent.wait_idle().await;
    two.agent.wait_idle().await;
    assert_eq!(one.desk.paid().len() + two.desk.paid().len(), 1);
    one.stop().await;
    two.stop().await;
}

/// With one worker and a node that never yields, no other task of that runtime can run.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_ping_is_answered_while_a_node_blocks_its_worker() {
    use std::sync::atomic::Ordering::SeqCst;
    let served = TestServer::start();
    let idle = served.ping().await;
    assert_eq!(idle["status"], "Healthy");
    assert_eq!(served.ping().await, idle, "a ping changed the time of the last update");

    served.desk.blocks.store(true, SeqCst);
    let start = served.post(&json!({ "thread_id": "t", "message": "A-1" })).send();
    let start = tokio::spawn(start);
    served.desk.entered.acquire().await.unwrap().forget();
    // This ping uses no runtime, because the node occupies the only worker of this one.
    let busy = plain_ping(served.address);
    served.desk.blocks.store(false, SeqCst);
    assert_eq!(busy["status"], "HealthyBusy", "{busy}");
    assert!(busy["time_of_last_update"].as_u64() >= idle["time_of_last_update"].as_u64());
    assert_eq!(start.await.unwrap().unwrap().status(), 200);
    served.agent.wait_idle().await;
    assert_eq!(served.ping().await["status"], "Healthy");
    served.stop().await;
}

/// Sends a ping from a client that needs no runtime.
fn plain_ping(address: std::net::SocketAddr) -> serde_json::Value {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET /ping HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stops_over_http() {
    let served = TestServer::start();
    let digest = served.waiting("t").await;
    let by = |mut payload: serde_json::Value| {
        payload["operator"] = json!("mara");
        payload["roles"] = json!(["clerk"]);
        payload
    };
    let (status, view) =
        served.ask(by(json!({ "action": "pause", "thread_id": "t", "reason": "she called" }))).await;
    assert_eq!((status, &view["stop"]["reason"]), (200, &json!("she called")), "{view}");
    let (_, view) = served.ask(by(json!({ "action": "approve", "thread_id": "t", "digest": digest }))).await;
    assert_eq!((&view["standing"], &view["nodes"]), (&json!("waiting"), &json!(["pay"])), "{view}");
    let (status, view) = served.ask(by(json!({ "action": "cancel", "thread_id": "t" }))).await;
    assert_eq!((status, &view["failure"]["stopped"]), (200, &json!(true)), "{view}");
    let (status, body) = served.ask(by(json!({ "action": "unpause", "thread_id": "t" }))).await;
    assert_eq!((status, &body["code"], &body["by"]), (409, &json!("cancelled"), &json!("mara")), "{body}");

    let _ = served.waiting("u").await;
    let (status, body) =
        served.ask(by(json!({ "action": "cancel", "scope": "graph", "reason": "wrong prompt" }))).await;
    assert_eq!((status, &body["cancelled"]), (200, &json!(1)), "{body}");
    assert_eq!(body["stops"][0]["scope"], json!({ "graph": "Refunds" }));
    let (status, body) = served.ask(json!({ "thread_id": "v", "message": "A-9133 is broken" })).await;
    assert_eq!((status, &body["code"]), (409, &json!("stopped")), "{body}");
    assert_eq!((&body["scope"], body.get("reason")), (&json!("graph `Refunds`"), None), "{body}");
    // The session of any thread will do.
    let stops = served.post(&json!({ "action": "stops" })).header(SESSION, "s".repeat(40));
    assert_eq!(read(stops.send().await.unwrap()).await.1["stops"].as_array().unwrap().len(), 1);
    let (status, body) = served.ask(by(json!({ "action": "unpause", "scope": "graph" }))).await;
    assert_eq!((status, &body["stops"]), (200, &json!([])), "{body}");
    let _ = served.waiting("v").await;
    assert!(served.desk.paid().is_empty());
    served.stop().await;
}

/// A thread has the name of a ticket, and is reached in any session that the service accepts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_is_reached_in_any_session() {
    let served = TestServer::start();
    let sessions = ["s".repeat(33), "a-long-session-0f9a3c52-7f0e-4e37".to_owned(), "x".repeat(256)];
    let start = json!({ "thread_id": "ticket-A-9133", "message": "A-9133 is broken" });
    let response = served.post(&start).header(SESSION, &sessions[0]).send().await.unwrap();
    assert_eq!(response.headers()[SESSION], sessions[0].as_str());
    let (status, view) = read(response).await;
    assert_eq!(status, 200, "{view}");
    let digest = &view["reviews"][0]["digest"];
    let approve = json!({
        "action": "approve", "thread_id": "ticket-A-9133", "digest": digest, "operator": "mara", "roles": ["clerk"],
    });
    for (session, expected) in sessions.iter().skip(1).zip([200, 409]) {
        let (status, body) = read(served.post(&approve).header(SESSION, session).send().await.unwrap()).await;
        assert_eq!(status, expected, "{body}");
    }
    assert_eq!(served.desk.paid().len(), 1);
    served.stop().await;
}
