//! Tests of errors: each is a problem (RFC 9457), and changes nothing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::served::{Served, read};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_edit_names_its_fields() {
    let served = Served::start();
    let digest = served.waiting("t").await;
    let verdict = format!("/v1/threads/t/reviews/{digest}/verdict");
    let edit = |patch: Value| json!({ "verdict": "edit", "patch": { "draft": patch } });
    let (status, problem) = served.post(&verdict, edit(json!({ "order": "", "dollars": 501 }))).await;
    assert_eq!(
        (status, &problem["title"], &problem["status"]),
        (422, &json!("Invalid"), &json!(422)),
        "{problem}"
    );
    let paths: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["draft.dollars", "draft.order"], "{problem}");
    assert!(problem["type"].as_str().unwrap().ends_with("#invalid"));
    let (status, problem) = served.post(&verdict, edit(json!({ "dolars": 5 }))).await;
    assert_eq!((status, &problem["errors"][0]["path"]), (422, &json!("draft.dolars")), "{problem}");
    let (status, problem) = served.post(&verdict, json!({ "verdict": "reject", "reason": "because" })).await;
    assert_eq!((status, &problem["errors"][0]["path"]), (400, &json!("reason")), "{problem}");
    assert!(served.desk.paid().is_empty());
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_cannot_be_executed_is_a_problem() {
    let served = Served::start();
    let digest = served.waiting("t").await;
    let other = "ab".repeat(32);
    let approve = json!({ "verdict": "approve" });
    for (path, status, code) in [
        (format!("/v1/threads/t/reviews/{other}/verdict"), 409, "stale"),
        ("/v1/threads/t/reviews/xyz/verdict".to_owned(), 400, "invalid_request"),
        (format!("/v1/threads/nobody/reviews/{digest}/verdict"), 404, "unknown_thread"),
        (format!("/v1/threads/a%00b/reviews/{digest}/verdict"), 400, "invalid_thread_id"),
        (format!("/v1/threads/%ff/reviews/{digest}/verdict"), 400, "invalid_encoding"),
        (format!("/v1/threads/{}/reviews/{digest}/verdict", "x".repeat(201)), 400, "invalid_thread_id"),
        (format!("/v1/threads/hitl:stops/reviews/{digest}/verdict"), 404, "unknown_thread"),
        (format!("/v1/threads/..%2F..%2Fstops/reviews/{digest}/verdict"), 404, "unknown_thread"),
        (format!("/v1/threads/t%2Freviews/{digest}/verdict"), 404, "no_such_path"),
        ("/v1/nothing".to_owned(), 404, "no_such_path"),
        ("/v1".to_owned(), 404, "no_such_path"),
        ("/v1/".to_owned(), 404, "no_such_path"),
        ("/v1/reviews".to_owned(), 405, "no_such_method"),
    ] {
        let (found, problem) = served.post(&path, approve.clone()).await;
        assert_eq!(
            (found, &problem["code"], &problem["status"]),
            (status, &json!(code), &json!(status)),
            "{path}: {problem}"
        );
    }
    for (path, code) in [
        ("/v1/reviews", "operator_missing"),
        ("/v1/threads", "operator_missing"),
        ("/v1/reviews?operator=mara&limit=0", "invalid_request"),
        ("/v1/reviews?operator=mara&limit=many", "invalid_request"),
        ("/v1/reviews?operator=mara&operator=noor", "invalid_request"),
        ("/v1/reviews?operator=mara&sort=asc", "invalid_request"),
        ("/v1/reviews?operator=mara&sort=%ff", "invalid_encoding"),
        ("/v1/reviews?operator=m%ff", "invalid_encoding"),
        ("/v1/reviews?%e2%28=1", "invalid_encoding"),
        ("/v1/threads?operator=mara&status=lost", "invalid_request"),
        ("/v1/threads?operator=mara&action=sweep", "invalid_request"),
        ("/v1/threads/t?thread_id=u", "invalid_request"),
        ("/v1/threads/t/history?from=-1", "invalid_request"),
    ] {
        let (status, problem) = served.get(path).await;
        assert_eq!((&problem["code"], status < 500), (&json!(code), true), "{path}: {problem}");
        // What is about all threads is about no thread of a reserved name.
        assert!(!problem.to_string().contains("hitl:"), "{path}: {problem}");
    }
    let (_, problem) = served.get("/v1/nothing").await;
    assert!(problem["detail"].as_str().unwrap().contains("`/v1/nothing`"), "{problem}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_page_token_is_named() {
    let served = Served::start();
    let _ = served.waiting("t").await;
    for path in ["/v1/reviews?operator=mara&after=%20", "/v1/threads?operator=mara&after=%ef%bf%bd"] {
        let (status, problem) = served.get(path).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_request")), "{path}: {problem}");
        assert_eq!(problem["errors"][0]["path"], "after", "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("`next`"), "{path}: {problem}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_takes_its_name_and_its_input() {
    let served = Served::start();
    let input = json!({ "message": "A-9133 arrived broken" });
    for (body, path) in [
        (json!({ "thread_id": "t", "input": input, "operator": "mara" }), "operator"),
        (json!({ "thread_id": "t", "input": input, "roles": ["clerk"] }), "roles"),
        (json!({ "thread_id": "t", "message": "A-9133 arrived broken", "operator": "mara" }), "operator"),
        (json!({ "thread_id": "t", "message": "A-9133 arrived broken" }), "message"),
        (json!({ "thread_id": "t" }), "input"),
        (json!({ "thread_id": "t", "input": "A-9133" }), "input"),
    ] {
        let started = served.request(Method::POST, "/v1/threads").json(&body).send().await.unwrap();
        let (status, problem) = read(started).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_request")), "{body}: {problem}");
        assert_eq!(problem["errors"][0]["path"], path, "{body}: {problem}");
        let takes_no_operator = problem["detail"].as_str().unwrap().contains("a start takes no operator");
        assert_eq!(takes_no_operator, matches!(path, "operator" | "roles"), "{problem}");
    }
    assert_eq!(served.get("/v1/threads/t").await.0, 404);
    // In an action of AgentCore, too.
    let invoke = json!({ "action": "start", "thread_id": "t", "input": input, "operator": "mara" });
    let invoked = served.request(Method::POST, "/invocations").json(&invoke).send().await.unwrap();
    let error: Value = invoked.json().await.unwrap();
    assert!(error["error"].as_str().unwrap().contains("a start takes no operator"), "{error}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_of_the_store_without_a_role_for_it_names_the_setting() {
    let served = Served::start();
    let _ = served.waiting("t").await;
    let (status, problem) = served.post("/v1/store/cancel", json!({ "reason": "a test" })).await;
    assert_eq!((status, &problem["code"]), (403, &json!("role_missing")), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`stop_role`") && !detail.contains("retry"), "{problem}");
    assert_eq!(served.get("/v1/stops").await.1["stops"], json!([]));
    served.stop().await;
}

/// The document has a verdict by its name only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verdict_is_given_by_its_name() {
    let served = Served::start();
    let digest = served.waiting("t").await;
    let review = format!("/v1/threads/t/reviews/{digest}");
    for verdict in [json!({ "action": "approve" }), json!({ "approve": {} }), json!(1)] {
        let batch = json!({ "verdict": verdict, "reviews": [{ "thread_id": "t", "digest": digest }] });
        for (path, body) in [
            (format!("{review}/preview"), json!({ "verdict": verdict })),
            (format!("{review}/verdict"), json!({ "verdict": verdict })),
            ("/v1/batches".to_owned(), batch),
        ] {
            let (status, problem) = served.post(&path, body).await;
            assert_eq!((status, &problem["code"]), (400, &json!("invalid_request")), "{path}: {problem}");
            assert_eq!(problem["errors"][0]["path"], "verdict", "{path}: {problem}");
        }
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_body_is_a_problem() {
    let served = Served::start();
    let digest = served.waiting("t").await;
    let verdict = format!("/v1/threads/t/reviews/{digest}/verdict");
    let send = async |body: String, headers: &[(&str, &str)]| {
        let mut request = served.request(Method::POST, &verdict).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send().await.unwrap()).await
    };
    let json_type = ("content-type", "application/json");
    let approve = json!({ "verdict": "approve", "operator": "mara", "roles": ["clerk"] }).to_string();
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    for (body, headers, status, code) in [
        (approve.clone(), &[("content-type", "text/plain")][..], 415, "unsupported_media_type"),
        (approve.clone(), &[], 415, "unsupported_media_type"),
        (approve.clone(), &[json_type, ("origin", "https://evil.example")], 403, "foreign_origin"),
        (approve.clone(), &[json_type, ("sec-fetch-site", "cross-site")], 403, "foreign_origin"),
        (approve.clone(), &[json_type, ("host", "evil.example")], 403, "foreign_host"),
        (format!(r#"{{"note":"{}"}}"#, "x".repeat(2 << 20)), &[json_type], 413, "too_large"),
        (nested(100), &[json_type], 400, "invalid_json"),
        (nested(100_000), &[json_type], 400, "invalid_json"),
        (r#"{"verdict":"approve","verdict":"reject"}"#.to_owned(), &[json_type], 400, "duplicate_key"),
        ("{".to_owned(), &[json_type], 400, "invalid_json"),
        (String::new(), &[json_type], 400, "invalid_json"),
        ("[]".to_owned(), &[json_type], 400, "invalid_request"),
    ] {
        let (found, problem) = send(body, headers).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{headers:?}: {problem}");
    }
    assert!(served.desk.paid().is_empty());
    assert_eq!(send(approve, &[json_type]).await.0, 200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_methods_are_problems_that_name_the_allowed_ones() {
    let served = Served::start();
    let _ = served.waiting("t").await;
    for (method, path) in [
        (Method::OPTIONS, "/v1/reviews"),
        (Method::DELETE, "/v1/threads/t"),
        (Method::PUT, "/v1/threads/t"),
        (Method::PATCH, "/v1/threads"),
        (Method::from_bytes(b"BREW").unwrap(), "/v1/threads/t"),
    ] {
        let answered = served.request(method.clone(), path).send().await.unwrap();
        let allowed = answered.headers()["allow"].to_str().unwrap().to_owned();
        assert!(allowed.contains("GET"), "{method} {path}: {allowed}");
        let (status, problem) = read(answered).await;
        assert_eq!((status, &problem["code"]), (405, &json!("no_such_method")), "{method}: {problem}");
    }
    let head = served.request(Method::HEAD, "/v1/threads/t").send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), head.headers()["cache-control"].to_str().unwrap()),
        (200, "no-store")
    );
    assert_eq!(head.text().await.unwrap(), "");
    let head = served.request(Method::HEAD, "/v1/threads/nobody").send().await.unwrap();
    assert_eq!(head.status(), 404);
    // The paths of AgentCore keep their form of an error.
    let other = served.request(Method::GET, "/v2").send().await.unwrap();
    assert_eq!(other.headers()["content-type"], "application/json");
    served.stop().await;
}
