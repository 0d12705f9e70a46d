//! Tests of ownership: for callers without a right to it, a thread does not exist.

use futures_util::{SinkExt as _, StreamExt as _};
use hitl::{
    ManualClock, MemoryStore, Timestamp,
    agentcore::{OperatorAuth, Right, TokenVerifier},
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use crate::{
    issuer::{Issuer, NOW},
    refund_agent::{Desk, Refunds},
    test_server::TestServer,
};

fn served(issuer: &Issuer, rules: impl FnOnce(OperatorAuth) -> OperatorAuth) -> TestServer {
    let (desk, clock) = (Desk::new(), ManualClock::at(Timestamp::from_millis(NOW * 1000)));
    let agent = Refunds::new(desk.clone(), MemoryStore::new()).clock(clock);
    let tokens = TokenVerifier::from_jwks(&issuer.jwks()).unwrap();
    TestServer::serving(agent, desk, rules(OperatorAuth::verified(tokens)))
}

/// Returns every request that a caller can make about an existing thread.
fn requests_about(thread: &str, digest: &str) -> Vec<Value> {
    [
        json!({ "action": "get" }),
        json!({ "action": "history" }),
        json!({ "action": "resume" }),
        json!({ "action": "approve", "digest": digest }),
        json!({ "action": "edit", "digest": digest, "patch": { "draft": { "dollars": 99 } } }),
        json!({ "action": "reject", "digest": digest, "reason": "other" }),
        json!({ "action": "ask", "digest": digest, "question": "Why?" }),
        json!({ "action": "preview", "digest": digest, "verdict": "approve" }),
        json!({ "action": "settle", "digest": digest, "how": "run_again" }),
        json!({ "action": "pause" }),
        json!({ "action": "unpause" }),
        json!({ "action": "cancel" }),
    ]
    .into_iter()
    .map(|mut payload| {
        payload["thread_id"] = thread.into();
        payload
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_of_another_owner_is_reported_as_missing() {
    let issuer = Issuer::new("k1");
    let served = served(&issuer, |operators| operators);
    let (owner, other) = (issuer.bearer("ann", &[]), issuer.bearer("bob", &["driver"]));
    let digest = served.waiting_for("t", Some(&owner)).await;
    let before = served.agent.verify("t").await.unwrap();
    for (theirs, missing) in requests_about("t", &digest).into_iter().zip(requests_about("u", &digest)) {
        for accept in ["application/json", "text/event-stream"] {
            let answer = async |payload: &Value| {
                let request = served.post(payload).header("authorization", &other).header("accept", accept);
                let answer = request.send().await.unwrap();
                let mut headers: Vec<_> = answer.headers().keys().map(ToString::to_string).collect();
                headers.sort();
                (answer.status().as_u16(), headers, answer.text().await.unwrap())
            };
            let (theirs, missing) = (answer(&theirs).await, answer(&missing).await);
            assert_eq!(theirs.0, 404, "{theirs:?}");
            assert_eq!((theirs.0, theirs.1), (missing.0, missing.1));
            assert_eq!(theirs.2.replace("`t`", "`u`").replace(r#""t""#, r#""u""#), missing.2);
        }
        // A caller without a token learns nothing either.
        let (status, body) = served.ask(theirs).await;
        assert_eq!((status, &body["code"]), (401, &json!("token_missing")), "{body}");
    }
    // The other caller repeats the start, whose response would show the thread.
    let start = json!({ "thread_id": "t", "message": "A-9133 arrived broken" });
    let (status, body) = served.ask_as(Some(&other), &start).await;
    assert_eq!((status, &body["code"]), (409, &json!("thread_exists")), "{body}");
    assert_eq!(served.ask_as(Some(&owner), &start).await.0, 200);
    assert_eq!(served.agent.verify("t").await.unwrap(), before);
    assert!(served.desk.paid().is_empty());
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signer_sees_open_reviews_and_the_first_decider() {
    let issuer = Issuer::new("k1");
    let served = served(&issuer, |operators| operators);
    let (owner, clerk) = (issuer.bearer("ann", &[]), issuer.bearer("cem", &["clerk"]));
    let digest = served.waiting_for("t", Some(&owner)).await;
    let get = json!({ "action": "get", "thread_id": "t" });
    for authorization in [&owner, &clerk] {
        let (status, view) = served.ask_as(Some(authorization), &get).await;
        assert_eq!((status, &view["standing"]), (200, &json!("waiting")), "{view}");
    }
    let approve = json!({ "action": "approve", "thread_id": "t", "digest": digest });
    // The right to start a thread is not the right to sign in it.
    let (status, body) = served.ask_as(Some(&owner), &approve).await;
    assert_eq!((status, &body["code"]), (403, &json!("role_missing")), "{body}");
    assert_eq!(served.ask_as(Some(&clerk), &approve).await.0, 200);
    let late = issuer.bearer("dora", &["clerk"]);
    let (status, body) = served.ask_as(Some(&late), &approve).await;
    assert_eq!((status, &body["by"]), (409, &json!("cem")), "{body}");
    let (_, view) = served.ask_as(Some(&owner), &get).await;
    assert_eq!(view["standing"], "ended");
    // The starter may not stop their thread, and only those who may sign stop all of them.
    let cancel = json!({ "action": "cancel", "thread_id": "t" });
    let (status, body) = served.ask_as(Some(&owner), &cancel).await;
    assert_eq!((status, &body["code"]), (403, &json!("role_missing")), "{body}");
    for scope in ["graph", "store"] {
        for action in ["pause", "unpause", "cancel"] {
            let all = json!({ "action": action, "scope": scope });
            let (status, body) = served.ask_as(Some(&owner), &all).await;
            assert_eq!((status, &body["code"]), (403, &json!("role_missing")), "{body}");
            assert_eq!(served.ask(all).await.0, 401);
        }
        assert_eq!(served.ask_as(Some(&clerk), &json!({ "action": "pause", "scope": scope })).await.0, 200);
        assert_eq!(served.ask_as(Some(&clerk), &json!({ "action": "unpause", "scope": scope })).await.0, 200);
    }
    assert_eq!(served.ask_as(Some(&owner), &json!({ "action": "stops" })).await.0, 403);
    // The journal records the owner of the thread.
    let (_, history) = served.ask_as(Some(&owner), &json!({ "action": "history", "thread_id": "t" })).await;
    assert_eq!(history["entries"][0]["event"]["started"]["requester"]["operator"], "ann", "{history}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn role_rights_and_open_rights_are_configurable() {
    let issuer = Issuer::new("k1");
    let served = served(&issuer, |operators| {
        operators
            .role_for(Right::Start, "desk")
            .role_for(Right::Read, "auditor")
            .role_for(Right::Resume, "operations")
            .open(Right::Resume)
    });
    let desk = issuer.bearer("ann", &["desk"]);
    let start = json!({ "thread_id": "u", "message": "A-1" });
    let (status, body) = served.ask_as(Some(&issuer.bearer("bob", &["driver"])), &start).await;
    assert_eq!((status, &body["code"]), (403, &json!("role_missing")), "{body}");
    assert_eq!(served.ask(start).await.0, 401);
    let digest = served.waiting_for("t", Some(&desk)).await;
    let auditor = issuer.bearer("eve", &["auditor"]);
    let get = json!({ "action": "get", "thread_id": "t" });
    assert_eq!(served.ask_as(Some(&auditor), &get).await.0, 200);
    // An auditor can read, but cannot sign.
    let approve = json!({ "action": "approve", "thread_id": "t", "digest": digest });
    assert_eq!(served.ask_as(Some(&auditor), &approve).await.0, 403);
    assert_eq!(served.ask(get).await.0, 401);
    // The journal of stops is not open.
    let stops = json!({ "action": "history", "thread_id": "hitl:stops" });
    assert_eq!(served.ask(stops.clone()).await.0, 401);
    assert_eq!(served.ask_as(Some(&desk), &stops).await.0, 403);
    // An action that is open needs no token. No other action is open.
    assert_eq!(served.ask(json!({ "action": "resume", "thread_id": "t" })).await.0, 200);
    assert_eq!(served.ask(approve).await.0, 401);
    served.stop().await;
}

/// A caller that starts a thread with the name of another owner's thread receives none of its events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_receives_no_events_of_another_owner() {
    let issuer = Issuer::new("k1");
    let served = served(&issuer, |operators| operators);
    served.desk.shut();
    let open = async |authorization: String| {
        let mut request = served.url("/ws").replace("http:", "ws:").into_client_request().unwrap();
        request.headers_mut().insert("authorization", authorization.parse().unwrap());
        tokio_tungstenite::connect_async(request).await.unwrap().0
    };
    let start = || Message::text(json!({ "thread_id": "t", "message": "A-9133" }).to_string());
    let mut owner = open(issuer.bearer("ann", &[])).await;
    owner.send(start()).await.unwrap();
    served.desk.entered.acquire().await.unwrap().forget();
    let mut other = open(issuer.bearer("bob", &["clerk"])).await;
    other.send(start()).await.unwrap();
    let texts = |socket: &Message| matches!(socket, Message::Text(_));
    let first = loop {
        let message = other.next().await.unwrap().unwrap();
        if texts(&message) {
            break message.into_text().unwrap();
        }
    };
    assert!(first.contains("thread_exists"), "{first}");
    served.desk.open();
    let mut told = Vec::new();
    while !told.last().is_some_and(|text: &String| text.contains(r#""thread":{"#)) {
        let message = owner.next().await.unwrap().unwrap();
        if texts(&message) {
            told.push(message.into_text().unwrap().to_string());
        }
    }
    assert!(told[0].contains("started"), "{told:?}");
    served.stop().await;
}
