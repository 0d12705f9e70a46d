//! Tests of the rights of callers: the operator is the subject of the token, and other threads do not exist.

use hitl::{
    ManualClock, MemoryStore, Timestamp,
    agentcore::{OperatorAuth, Right, TokenVerifier},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    issuer::{Issuer, NOW},
    refund_agent::{Desk, Refunds},
    served::{Served, read},
};

/// A server that verifies tokens, and its issuer.
pub fn verified() -> (Served, Issuer) {
    let issuer = Issuer::new("k1");
    let tokens =
        TokenVerifier::from_jwks(&issuer.jwks()).unwrap().issuer("https://login.example").audience("refunds");
    let (desk, clock) = (Desk::new(), ManualClock::at(Timestamp::from_millis(NOW * 1000)));
    let agent = Refunds::new(desk.clone(), MemoryStore::new()).clock(clock);
    let operators = OperatorAuth::verified(tokens).role_for(Right::Read, "auditor");
    (Served::agent(agent, desk, operators), issuer)
}

async fn ask(
    served: &Served,
    token: Option<&str>,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let mut request = served.request(method, path);
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    read(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_of_another_caller_does_not_exist() {
    let (served, issuer) = verified();
    let (owner, stranger, clerk) =
        (issuer.bearer("kim", &[]), issuer.bearer("eve", &["guest"]), issuer.bearer("mara", &["clerk"]));
    let start = json!({ "thread_id": "t", "input": { "message": "A-9133 arrived broken" } });
    let (status, view) = ask(&served, Some(&owner), Method::POST, "/v1/threads", Some(start)).await;
    assert_eq!(status, 200, "{view}");
    let digest = view["reviews"][0]["digest"].as_str().unwrap().to_owned();
    let review = format!("/v1/threads/t/reviews/{digest}");
    let approve = || Some(json!({ "verdict": "approve" }));
    for (method, path, body) in [
        (Method::GET, "/v1/threads/t".to_owned(), None),
        (Method::GET, "/v1/threads/t/history".to_owned(), None),
        (Method::GET, "/v1/threads/t/events".to_owned(), None),
        (Method::POST, format!("{review}/preview"), approve()),
        (Method::POST, format!("{review}/verdict"), approve()),
        (
            Method::POST,
            "/v1/threads/t/verdicts".to_owned(),
            Some(json!({ "verdicts": [{ "verdict": "approve", "digest": digest }] })),
        ),
        (Method::POST, "/v1/threads/t/pause".to_owned(), Some(json!({}))),
        (Method::POST, "/v1/threads/t/resume".to_owned(), Some(json!({}))),
    ] {
        let (status, problem) = ask(&served, Some(&stranger), method.clone(), &path, body.clone()).await;
        assert_eq!((status, &problem["code"]), (404, &json!("unknown_thread")), "{path}: {problem}");
        let missing = path.replace("/threads/t/", "/threads/u/").replace("/threads/t", "/threads/u");
        let (_, other) = ask(&served, Some(&stranger), method.clone(), &missing, body.clone()).await;
        assert_eq!(
            problem.to_string().replace("`t`", "`u`").replace("\"t\"", "\"u\""),
            other.to_string(),
            "{path}"
        );
        let (status, problem) = ask(&served, None, method, &path, body).await;
        assert_eq!((status, &problem["code"]), (401, &json!("token_missing")), "{path}: {problem}");
    }
    // A claim is no operator.
    let claimed = Some(json!({ "verdict": "approve", "operator": "mara", "roles": ["clerk"] }));
    let (status, problem) =
        ask(&served, Some(&stranger), Method::POST, &format!("{review}/verdict"), claimed).await;
    assert_eq!((status, &problem["code"]), (403, &json!("operator_mismatch")), "{problem}");
    // The owner sees the thread, and lacks the role to decide.
    let (status, problem) =
        ask(&served, Some(&owner), Method::POST, &format!("{review}/verdict"), approve()).await;
    assert_eq!((status, &problem["code"]), (403, &json!("role_missing")), "{problem}");

    // In a batch too.
    let batch = |confirm: &Value| {
        Some(
            json!({ "reviews": [{ "thread_id": "t", "digest": digest }], "verdict": "approve", "confirm": confirm }),
        )
    };
    for confirm in [
        Value::Null,
        ask(&served, Some(&stranger), Method::POST, "/v1/batches", batch(&Value::Null)).await.1["confirm"]
            .clone(),
    ] {
        let (status, reply) =
            ask(&served, Some(&stranger), Method::POST, "/v1/batches", batch(&confirm)).await;
        assert_eq!(
            (status, &reply["count"], &reply["node"], &reply["role"]),
            (200, &json!(0), &Value::Null, &Value::Null),
            "{reply}"
        );
        assert_eq!(reply["results"][0]["refused"]["code"], "unknown_thread", "{reply}");
    }
    let (status, reply) = ask(&served, None, Method::POST, "/v1/batches", batch(&Value::Null)).await;
    assert_eq!((status, &reply["code"]), (401, &json!("token_missing")));

    // The list of all threads takes the right to all of them.
    for (token, status) in [(&stranger, 403), (&clerk, 403), (&issuer.bearer("audrey", &["auditor"]), 200)] {
        assert_eq!(ask(&served, Some(token), Method::GET, "/v1/threads", None).await.0, status);
    }
    assert_eq!(ask(&served, Some(&stranger), Method::GET, "/v1/reviews", None).await.1["reviews"], json!([]));
    let (_, inbox) = ask(&served, Some(&clerk), Method::GET, "/v1/reviews", None).await;
    assert_eq!(inbox["reviews"][0]["digest"], json!(digest), "{inbox}");
    assert!(served.desk.paid().is_empty());
    let (status, view) =
        ask(&served, Some(&clerk), Method::POST, &format!("{review}/verdict"), approve()).await;
    assert_eq!((status, &view["standing"]), (200, &json!("ended")), "{view}");
    let decided = served.agent.history("t", 0, 100).await.unwrap();
    let decided = decided.iter().find(|entry| entry.event.name() == "decided").unwrap();
    assert!(serde_json::to_string(&decided.event).unwrap().contains(r#""operator":"mara""#));
    served.stop().await;
}
