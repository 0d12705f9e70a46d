//! Tests of identity: an operator is the subject of a verified token, and no other name can sign.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::future::join_all;
use hitl::{
    ManualClock, MemoryStore, Timestamp,
    agentcore::{OperatorAuth, Right, TokenVerifier},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::{
    issuer::{Issuer, NOW, base64, claims, with},
    refund_agent::{Desk, Refunds},
    test_server::{TestServer, read},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verdict_is_recorded_under_the_verified_subject() {
    let (issuer, stranger) = (Issuer::new("k1"), Issuer::new("k1"));
    let tokens =
        TokenVerifier::from_jwks(&issuer.jwks()).unwrap().issuer("https://login.example").audience("refunds");
    let (desk, clock) = (Desk::new(), ManualClock::at(Timestamp::from_millis(NOW * 1000)));
    let agent = Refunds::new(desk.clone(), MemoryStore::new()).clock(clock.clone());
    let served = TestServer::serving(agent, desk, OperatorAuth::verified(tokens));
    let digest = served.waiting_for("t", Some(&issuer.bearer("mara", &[]))).await;
    let approve = json!({ "action": "approve", "thread_id": "t", "digest": digest });
    let send = async |token: String, payload: &Value| {
        read(served.post(payload).header("authorization", token).send().await.unwrap()).await
    };

    let none = with(json!({ "alg": "none" })).to_string();
    let unsigned = format!("{}.{}.", base64(br#"{"alg":"none","typ":"JWT"}"#), base64(none.as_bytes()));
    for (token, code) in [
        ("mara".to_owned(), "token_invalid"),
        ("Basic bWFyYTpzZWNyZXQ=".to_owned(), "token_invalid"),
        ("Bearer not.a.token".to_owned(), "token_invalid"),
        (format!("Bearer {unsigned}"), "token_invalid"),
        (format!("Bearer {}", stranger.token(&claims())), "token_invalid"),
        (format!("Bearer {}", shared_secret(&issuer)), "token_invalid"),
        (format!("Bearer {}", issuer.token(&with(json!({ "exp": NOW })))), "token_expired"),
        (format!("Bearer {}", issuer.token(&with(json!({ "exp": null })))), "token_invalid"),
        (format!("Bearer {}", issuer.token(&with(json!({ "nbf": NOW + 600 })))), "token_invalid"),
        (
            format!("Bearer {}", issuer.token(&with(json!({ "iss": "https://evil.example" })))),
            "token_invalid",
        ),
        (format!("Bearer {}", issuer.token(&with(json!({ "aud": "payroll" })))), "token_invalid"),
        (format!("Bearer {}", issuer.token(&with(json!({ "sub": null })))), "token_invalid"),
    ] {
        let (status, body) = send(token.clone(), &approve).await;
        assert_eq!((status, &body["code"]), (401, &json!(code)), "{body}");
        let secret = token.rsplit(' ').next().unwrap();
        assert!(secret.len() < 10 || !body.to_string().contains(secret), "the response contains the token");
    }
    // Roles come from the token only: the payload claims one that the token does not have.
    let mut claimed = approve.clone();
    claimed["operator"] = "mara".into();
    claimed["roles"] = json!(["clerk"]);
    let weak = format!("Bearer {}", issuer.token(&with(json!({ "roles": ["guest"] }))));
    let (status, body) = send(weak, &claimed).await;
    assert_eq!((status, &body["code"]), (403, &json!("role_missing")), "{body}");
    // The name is only claimed, without a token.
    let (status, body) = served.ask(claimed.clone()).await;
    assert_eq!((status, &body["code"]), (403, &json!("operator_unverified")), "{body}");
    // The request has neither a token nor a name.
    let (status, body) = served.ask(approve.clone()).await;
    assert_eq!((status, &body["code"]), (401, &json!("token_missing")), "{body}");
    let good = format!("Bearer {}", issuer.token(&claims()));
    claimed["operator"] = "noor".into();
    let (status, body) = send(good.clone(), &claimed).await;
    assert_eq!((status, &body["code"]), (403, &json!("operator_mismatch")), "{body}");
    assert!(served.desk.paid().is_empty());

    let (status, view) = send(good.clone(), &approve).await;
    assert_eq!((status, &view["standing"]), (200, &json!("ended")), "{view}");
    let (_, history) = send(good, &json!({ "action": "history", "thread_id": "t" })).await;
    let decided = &history["entries"][3]["event"]["decided"];
    assert_eq!((&decided["operator"], &decided["unverified"]), (&json!("mara"), &Value::Null), "{history}");
    // The journal keeps facts about the token, but not the token.
    let evidence = &decided["evidence"];
    let kept =
        ["issuer", "subject", "kid", "channel"].map(|name| evidence[name].as_str().unwrap_or_default());
    assert_eq!(kept, ["https://login.example", "mara", "k1", "http"], "{history}");
    assert_eq!(evidence["token"].as_str().map(str::len), Some(64), "{history}");
    served.stop().await;
}

/// The AWS SDKs sign their requests to any server that they are configured with. Such a signature does not identify an
/// operator.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sigv4_signature_identifies_no_operator() {
    let served = TestServer::start();
    let digest = served.waiting("t").await;
    let mut approve = json!({ "action": "approve", "thread_id": "t", "digest": digest });
    let signature = "AWS4-HMAC-SHA256 Credential=key, SignedHeaders=host, Signature=0";
    let send = async |payload: &Value| {
        read(served.post(payload).header("authorization", signature).send().await.unwrap()).await
    };
    let (status, body) = send(&approve).await;
    assert_eq!((status, &body["code"]), (401, &json!("operator_missing")), "{body}");
    approve["operator"] = "mara".into();
    approve["roles"] = json!(["clerk"]);
    let (status, view) = send(&approve).await;
    assert_eq!((status, &view["standing"]), (200, &json!("ended")), "{view}");
    served.stop().await;
}

/// A token expires while its connection is open and its node runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_starts_no_new_request_on_its_connection() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

    let issuer = Issuer::new("k1");
    let (desk, clock) = (Desk::new(), ManualClock::at(Timestamp::from_millis(NOW * 1000)));
    let agent = Refunds::new(desk.clone(), MemoryStore::new()).clock(clock.clone());
    let served = TestServer::serving(
        agent,
        desk,
        OperatorAuth::verified(TokenVerifier::from_jwks(&issuer.jwks()).unwrap()),
    );
    let mut request = served.url("/ws").replace("http:", "ws:").into_client_request().unwrap();
    let token = format!("Bearer {}", issuer.token(&claims()));
    request.headers_mut().insert("authorization", token.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    served.desk.shut();
    socket.send(Message::text(json!({ "thread_id": "t", "message": "A-1" }).to_string())).await.unwrap();
    served.desk.entered.acquire().await.unwrap().forget();
    clock.advance(std::time::Duration::from_secs(61));
    served.desk.open();
    let mut next = async || {
        let Message::Text(text) = socket.next().await.unwrap().unwrap() else {
            panic!("expected a text message")
        };
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let view = loop {
        let told = next().await;
        if told["thread"].is_object() {
            break told;
        }
    };
    let digest = &view["thread"]["reviews"][0]["digest"];
    let approve = json!({ "action": "approve", "thread_id": "t", "digest": digest }).to_string();
    socket.send(Message::text(approve)).await.unwrap();
    let Message::Text(text) = socket.next().await.unwrap().unwrap() else {
        panic!("expected a text message")
    };
    assert!(text.contains("token_expired"), "{text}");
    assert_eq!(served.agent.view("t").await.unwrap().standing.as_str(), "waiting");
    served.stop().await;
}

/// A mock key server: its address, its response, and the number of requests to it.
struct KeyServer {
    url: String,
    response: Arc<Mutex<(u16, String)>>,
    requests: Arc<AtomicUsize>,
}

impl KeyServer {
    async fn start(jwks: String) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let (response, requests) = (Arc::new(Mutex::new((200, jwks))), Arc::new(AtomicUsize::new(0)));
        let (said, count) = (Arc::clone(&response), Arc::clone(&requests));
        let keys = axum::routing::get(async move || {
            count.fetch_add(1, SeqCst);
            let (status, body) = said.lock().unwrap().clone();
            (axum::http::StatusCode::from_u16(status).unwrap(), body)
        });
        tokio::spawn(async { axum::serve(listener, axum::Router::new().route("/keys", keys)).await });
        Self { url, response, requests }
    }

    fn respond_with(&self, status: u16, body: &str) {
        *self.response.lock().unwrap() = (status, body.to_owned());
    }

    /// Returns the number of requests since the last call.
    fn take_requests(&self) -> usize {
        self.requests.swap(0, SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_cached_and_revoked_keys_are_dropped() {
    let (old, new) = (Issuer::new("k1"), Issuer::new("k2"));
    let keys = KeyServer::start(old.jwks()).await;
    let (desk, clock) = (Desk::new(), ManualClock::at(Timestamp::from_millis(NOW * 1000)));
    let agent = Refunds::new(desk.clone(), MemoryStore::new()).clock(clock.clone());
    let tokens = TokenVerifier::from_url(&keys.url).unwrap().max_lifetime(Duration::from_secs(1_000_000));
    // Starting and reading need no identity, so a 200 says only that the token was valid.
    let served =
        TestServer::serving(agent, desk, OperatorAuth::verified(tokens).open(Right::Start).open(Right::Read));
    let _ = served.waiting("t").await;
    let at_once = async |issuer: &Issuer| {
        let token = format!("Bearer {}", issuer.token(&with(json!({ "exp": NOW + 1_000_000 }))));
        let get = json!({ "action": "get", "thread_id": "t" });
        let ask =
            || async { read(served.post(&get).header("authorization", &token).send().await.unwrap()).await };
        let answers = join_all((0..20).map(|_| ask())).await;
        assert!(answers.iter().all(|(status, _)| *status == answers[0].0), "{answers:?}");
        (answers[0].0, answers[0].1["code"].as_str().unwrap_or("").to_owned())
    };
    let good = || (200, String::new());
    let wait = async |seconds| clock.advance(Duration::from_secs(seconds));

    // Without keys, every token is refused, and the key server is not asked again at once.
    keys.respond_with(500, "");
    assert_eq!((at_once(&old).await, keys.take_requests()), ((503, "keys_unavailable".into()), 1));
    keys.respond_with(200, &old.jwks());
    assert_eq!((at_once(&old).await.0, keys.take_requests()), (503, 0));
    wait(5).await;
    assert_eq!((at_once(&old).await, keys.take_requests()), (good(), 1));
    assert_eq!((at_once(&old).await, keys.take_requests()), (good(), 0));

    // A token with an unknown key causes a new fetch, but not each such token does.
    let invalid = (401, "token_invalid".to_owned());
    assert_eq!((at_once(&new).await, keys.take_requests()), (invalid.clone(), 0));
    keys.respond_with(200, &new.jwks());
    wait(60).await;
    assert_eq!((at_once(&new).await, keys.take_requests()), (good(), 1));
    // A key that the issuer has withdrawn is no longer valid.
    assert_eq!((at_once(&old).await, keys.take_requests()), (invalid, 0));

    // The keys remain valid while the key server is down for less than an hour.
    keys.respond_with(500, "");
    wait(30 * 60).await;
    assert_eq!((at_once(&new).await, keys.take_requests()), (good(), 1));
    wait(30 * 60).await;
    assert_eq!((at_once(&new).await, keys.take_requests()), ((503, "keys_unavailable".into()), 1));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_key_types_and_fractional_times_are_accepted() {
    let issuer = Issuer::new("k1");
    let mut jwks: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let unknown = json!({ "kty": "of tomorrow", "kid": "k0", "key_ops": 7 });
    jwks["keys"].as_array_mut().unwrap().insert(0, unknown);
    let (desk, clock) = (Desk::new(), ManualClock::at(Timestamp::from_millis(NOW * 1000)));
    let agent = Refunds::new(desk.clone(), MemoryStore::new()).clock(clock);
    let tokens = TokenVerifier::from_jwks(&jwks.to_string()).unwrap();
    let served = TestServer::serving(agent, desk, OperatorAuth::verified(tokens));
    let digest = served.waiting_for("t", Some(&issuer.bearer("mara", &[]))).await;
    let token = issuer.token(&with(json!({ "exp": NOW as f64 + 0.5, "nbf": NOW as f64 - 0.5 })));
    let approve = json!({ "action": "approve", "thread_id": "t", "digest": digest });
    let (status, view) = read(served.post(&approve).bearer_auth(token).send().await.unwrap()).await;
    assert_eq!((status, &view["standing"]), (200, &json!("ended")), "{view}");
    served.stop().await;
}

/// Returns a token with an HMAC whose secret is the public keys, which any reader of the keys could create.
fn shared_secret(issuer: &Issuer) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(issuer.kid.clone());
    encode(&header, &claims(), &EncodingKey::from_secret(issuer.jwks().as_bytes())).unwrap()
}
