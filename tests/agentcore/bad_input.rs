//! Tests of invalid requests: each one fails with a status and a code, and changes nothing.

use serde_json::{Value, json};

use crate::test_server::{TestServer, read};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_request_changes_no_thread() {
    let served = TestServer::start();
    let digest = served.waiting("t").await;
    let before = served.agent.verify("t").await.unwrap();
    let other = "ab".repeat(32);
    let by = |mut payload: Value| {
        payload["thread_id"] = "t".into();
        payload["operator"] = "mara".into();
        payload["roles"] = json!(["clerk"]);
        payload
    };
    for (payload, status, code) in [
        (json!({ "action": "get", "thread_id": "nobody" }), 404, "unknown_thread"),
        (json!({ "action": "aprove", "thread_id": "t" }), 400, "unknown_action"),
        (json!({ "action": "get" }), 400, "invalid_request"),
        (json!([1, 2]), 400, "invalid_request"),
        (json!({ "thread_id": "t2", "massage": "A-1" }), 400, "invalid_input"),
        (json!({ "thread_id": "t2", "message": 7 }), 400, "invalid_input"),
        (json!({ "thread_id": "t", "message": "another" }), 409, "thread_exists"),
        (json!({ "action": "approve", "thread_id": "t", "digest": digest }), 401, "operator_missing"),
        (
            json!({ "action": "approve", "thread_id": "t", "digest": digest, "operator": "mara" }),
            403,
            "role_missing",
        ),
        (by(json!({ "action": "approve", "digest": other })), 409, "stale"),
        (by(json!({ "action": "approve", "digest": 7 })), 400, "invalid_request"),
        (
            by(json!({ "action": "edit", "digest": digest, "patch": { "draft": { "dollars": 501 } } })),
            422,
            "invalid",
        ),
        (
            by(json!({ "action": "edit", "digest": digest, "patch": { "draft": { "dollar": 5 } } })),
            422,
            "unknown_key",
        ),
        (by(json!({ "action": "edit", "digest": digest, "patch": { "dollars": 5 } })), 422, "invalid_patch"),
        (by(json!({ "action": "edit", "digest": digest, "patch": { "draft": {} } })), 422, "unchanged"),
        (json!({ "thread_id": "t\u{200b}2", "message": "A-1" }), 400, "invalid_thread_id"),
        (
            json!({ "action": "approve", "thread_id": "t", "digest": digest, "operator": "hitl", "roles": ["clerk"] }),
            403,
            "bad_operator",
        ),
        (by(json!({ "action": "ask", "digest": digest, "question": " " })), 422, "bad_verdict"),
        (by(json!({ "action": "reject", "digest": digest, "reason": "because" })), 400, "invalid_request"),
        (by(json!({ "action": "settle", "digest": digest, "how": "run_again" })), 409, "not_in_doubt"),
    ] {
        let (found, body) = served.ask(payload.clone()).await;
        assert_eq!((found, &body["code"]), (status, &json!(code)), "{payload}: {body}");
        assert!(body["error"].as_str().is_some_and(|words| words.len() > 10), "{body}");
    }
    let (_, body) = served
        .ask(by(json!({ "action": "edit", "digest": digest, "patch": { "draft": { "dollars": 501 } } })))
        .await;
    assert_eq!((&body["violations"][0]["path"], &body["field"]), (&json!("dollars"), &json!("draft")));

    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    for (body, code) in [
        (Vec::new(), "invalid_json"),
        (b"{".to_vec(), "invalid_json"),
        (br#"{"action":"start","thread_id":"t","message":NaN}"#.to_vec(), "invalid_json"),
        (br#"{"thread_id":"t","message":1e999}"#.to_vec(), "invalid_json"),
        (b"{\"thread_id\":\"\xff\"}".to_vec(), "invalid_encoding"),
        (format!(r#"{{"thread_id":"t2","message":{deep}}}"#).into_bytes(), "invalid_json"),
    ] {
        let (status, answer) = read(served.raw(body).send().await.unwrap()).await;
        assert_eq!((status, &answer["code"]), (400, &json!(code)), "{answer}");
    }
    for (method, path, status, code) in [
        (reqwest::Method::GET, "/invocations", 405, "no_such_method"),
        (reqwest::Method::POST, "/ping", 405, "no_such_method"),
        (reqwest::Method::GET, "/admin", 404, "no_such_path"),
        (reqwest::Method::GET, "/ws", 400, "no_socket"),
        (reqwest::Method::POST, "/ws", 405, "no_such_method"),
    ] {
        let response = reqwest::Client::new().request(method, served.url(path)).send().await.unwrap();
        let (found, body) = read(response).await;
        assert_eq!((found, &body["code"]), (status, &json!(code)));
    }
    assert_eq!(served.agent.verify("t").await.unwrap(), before);
    assert!(served.desk.paid().is_empty());
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_100_megabytes_gets_a_413_response() {
    let served = TestServer::start();
    let body = format!(r#"{{"thread_id":"t","message":"{}"}}"#, "x".repeat(100_000_000));
    let (status, answer) = read(served.raw(body).send().await.unwrap()).await;
    assert_eq!((status, &answer["code"], &answer["limit"]), (413, &json!("too_large"), &json!(1_048_576)));
    // A message of nearly one megabyte is accepted.
    let message = format!("A-1 {}", "x".repeat(1_000_000));
    let (status, view) = served.ask(json!({ "thread_id": "t", "message": message })).await;
    assert_eq!((status, &view["standing"]), (200, &json!("waiting")));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_do_not_echo_large_values() {
    let served = TestServer::start();
    let digest = served.waiting("t").await;
    let long = "x".repeat(1_000_000);
    let by = |mut payload: Value| {
        payload["thread_id"] = "t".into();
        payload["digest"] = digest.as_str().into();
        payload["operator"] = "mara".into();
        payload["roles"] = json!(["clerk"]);
        payload
    };
    for payload in [
        by(json!({ "action": long })),
        by(json!({ "action": "reject", "reason": long })),
        by(json!({ "action": "approve", &long: 1 })),
        by(json!({ "action": "edit", "patch": { "draft": { "dollars": long } } })),
        by(json!({ "action": "edit", "patch": { "draft": { &long: 1 } } })),
        json!({ "thread_id": "u", "message": "A-1", &long: 1 }),
        json!({ "thread_id": long, "message": "A-1" }),
    ] {
        let (status, body) = served.ask(payload).await;
        assert!((400..500).contains(&status) && body.to_string().len() < 10_000, "{status}");
    }
    served.stop().await;
}
