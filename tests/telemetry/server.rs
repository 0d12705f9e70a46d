//! The spans of a request to the server.

use hitl::{
    agentcore::{AgentCore, OperatorAuth},
    prelude::*,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    capture::{begin, seen},
    refund_agent::{Desk, RESPONSE, RefundAgent},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_has_the_spans_of_its_thread() {
    begin();
    let agent = RefundAgent::new(Desk::new([RESPONSE]), MemoryStore::new());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/invocations", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let served = AgentCore::new(agent).operators(OperatorAuth::claimed());
    let serving = tokio::spawn(served.serve_until(listener, async {
        let _ = stopped.await;
    }));
    let ask = async |payload: Value, id: &str| {
        let request = reqwest::Client::new().post(&url).json(&payload);
        let response = request.header("x-amzn-bedrock-agentcore-runtime-request-id", id).send();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        response.json::<Value>().await.unwrap()
    };
    let started = ask(json!({ "thread_id": "served", "message": "a lamp" }), "request-1").await;
    let digest = &started["reviews"][0]["digest"];
    let approve = json!({
        "action": "approve", "thread_id": "served", "digest": digest, "operator": "mara",
        "roles": ["refund-approver"],
    });
    assert_eq!(ask(approve, "request-2").await["standing"], "ended");
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();

    let seen = seen();
    let called = seen.events_of("served", "the bank is called")[0];
    assert_eq!(seen.path(called.span), ["request", "thread", "node"]);
    assert_eq!(seen.inherited(called.span, "requestId"), Some("request-2"));
    let models = seen.spans_of("served", "model");
    assert_eq!(seen.path(Some(models[0])), ["request", "thread", "node", "model"]);
    assert_eq!(seen.inherited(Some(models[0]), "requestId"), Some("request-1"));
    let decided = seen.events_of("served", "review decided")[0];
    assert_eq!(
        (decided.fields["operator"].as_str(), decided.fields["unverified"].as_str()),
        ("mara", "true")
    );
}
