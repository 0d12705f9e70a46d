//! Tests of tokens that are signed with a known key, or name one, but do not identify an operator.

use hitl::{
    ManualClock, MemoryStore, Timestamp,
    agentcore::{OperatorAuth, TokenVerifier},
};
use serde_json::{Value, json};

use crate::{
    issuer::{Issuer, NOW, claims, with},
    refund_agent::{Desk, Refunds},
    test_server::TestServer,
};

fn served(tokens: TokenVerifier) -> TestServer {
    let (desk, clock) = (Desk::new(), ManualClock::at(Timestamp::from_millis(NOW * 1000)));
    let agent = Refunds::new(desk.clone(), MemoryStore::new()).clock(clock);
    TestServer::serving(agent, desk, OperatorAuth::verified(tokens))
}

/// Sends a token with a `get`. Returns the status and the code of the response.
async fn response_to(served: &TestServer, token: &str) -> (u16, String) {
    let get = json!({ "action": "get", "thread_id": "t" });
    let (status, body) = served.ask_as(Some(&format!("Bearer {token}")), &get).await;
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_token_must_identify_its_subject() {
    let issuer = Issuer::new("k1");
    let tokens =
        TokenVerifier::from_jwks(&issuer.jwks()).unwrap().issuer("https://login.example").audience("refunds");
    let served = served(tokens);
    let _ = served.waiting_for("t", Some(&issuer.bearer("mara", &["clerk"]))).await;
    let nothing = json!({});
    let good = claims();
    for (header, claims) in [
        (&nothing, &good),
        (&json!({ "typ": null }), &good),
        (&json!({ "typ": "at+jwt" }), &good),
        (&json!({ "typ": "application/AT+JWT" }), &good),
        (&nothing, &with(json!({ "aud": ["payroll", "refunds"], "client_id": "desk" }))),
        (&nothing, &with(json!({ "aud": null, "client_id": "refunds" }))),
        (&nothing, &with(json!({ "iat": NOW - 10, "exp": NOW + 86_000 }))),
    ] {
        let token = issuer.token_with(header, claims);
        assert_eq!(response_to(&served, &token).await, (200, String::new()), "{header} {claims}");
    }
    for (attack, header, claims) in [
        ("an extension that must be understood", json!({ "crit": ["exp2"], "exp2": 1 }), good.clone()),
        ("an empty list of those", json!({ "crit": [] }), good.clone()),
        ("an unencoded payload", json!({ "crit": ["b64"], "b64": false }), good.clone()),
        ("a logout", json!({ "typ": "logout+jwt" }), good.clone()),
        ("a logout by its claim", nothing.clone(), with(json!({ "events": {} }))),
        ("a proof of DPoP", json!({ "typ": "dpop+jwt" }), good.clone()),
        ("a security event", json!({ "typ": "application/secevent+jwt" }), good.clone()),
        ("any other type", json!({ "typ": "vc+sd-jwt" }), good.clone()),
        ("bound to a key", nothing.clone(), with(json!({ "cnf": { "jkt": "x" } }))),
        (
            "meant for another, to our client",
            nothing.clone(),
            with(json!({ "aud": "payroll", "client_id": "refunds" })),
        ),
        ("meant for nobody", nothing.clone(), with(json!({ "aud": [], "client_id": "refunds" }))),
        ("an audience that is no text", nothing.clone(), with(json!({ "aud": 7 }))),
        ("for no audience", nothing.clone(), with(json!({ "aud": null }))),
        ("issued in the future", nothing.clone(), with(json!({ "iat": NOW + 600 }))),
        ("good from the future on", nothing.clone(), with(json!({ "nbf": NOW + 600 }))),
        ("good for too long", nothing.clone(), with(json!({ "exp": NOW + 90_000 }))),
        (
            "good for too long since it was issued",
            nothing.clone(),
            with(json!({ "iat": NOW - 86_000, "exp": NOW + 60_000 })),
        ),
        ("good for ever", nothing.clone(), with(json!({ "exp": 1e300 }))),
        ("a subject of two lines", nothing.clone(), with(json!({ "sub": "mara\nand noor" }))),
        ("a subject of a page", nothing.clone(), with(json!({ "sub": "x".repeat(1000) }))),
        ("longer than any", nothing.clone(), with(json!({ "x": "x".repeat(20_000) }))),
        ("another algorithm's name", json!({ "alg": "ES384" }), good.clone()),
        ("no algorithm", json!({ "alg": "none" }), good.clone()),
    ] {
        let (status, code) = response_to(&served, &issuer.token_with(&header, &claims)).await;
        assert_eq!((status, code.as_str()), (401, "token_invalid"), "{attack}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_used_only_for_its_declared_purpose() {
    let issuer = Issuer::new("k1");
    for (besides, status) in [
        (json!({}), 404),
        (json!({ "use": "sig", "alg": "ES256" }), 404),
        (json!({ "key_ops": ["verify"] }), 404),
        (json!({ "use": "enc" }), 401),
        (json!({ "use": "tls" }), 401),
        (json!({ "key_ops": ["encrypt", "wrapKey"] }), 401),
        (json!({ "key_ops": [] }), 401),
        (json!({ "alg": "ES384" }), 401),
        (json!({ "alg": "RS256" }), 401),
        (json!({ "alg": "ECDH-ES" }), 401),
        (json!({ "use": "sig", "key_ops": ["encrypt"] }), 401),
    ] {
        let keys = json!({ "keys": [issuer.jwk(&besides)] }).to_string();
        let served = served(TokenVerifier::from_jwks(&keys).unwrap());
        // An accepted token gets a 404, because there is no thread.
        assert_eq!(response_to(&served, &issuer.token(&claims())).await.0, status, "{besides}");
        served.stop().await;
    }
}

/// Several claims list roles, and only the configured one counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_come_only_from_the_configured_claim() {
    let issuer = Issuer::new("k1");
    for (named, sent, status) in [
        (None, json!({ "roles": ["clerk"] }), 200),
        (None, json!({ "roles": "clerk" }), 200),
        (None, json!({ "roles": ["guest"], "groups": ["clerk"], "cognito:groups": ["clerk"] }), 403),
        (None, json!({ "roles": null, "groups": ["clerk"] }), 403),
        (Some("cognito:groups"), json!({ "roles": ["guest"], "cognito:groups": ["clerk"] }), 200),
        (Some("cognito:groups"), json!({ "roles": ["clerk"], "groups": ["clerk"] }), 403),
    ] {
        let mut tokens = TokenVerifier::from_jwks(&issuer.jwks()).unwrap();
        if let Some(claim) = named {
            tokens = tokens.roles_claim(claim);
        }
        let served = served(tokens);
        let bearer = format!("Bearer {}", issuer.token(&with(sent.clone())));
        let digest = served.waiting_for("t", Some(&bearer)).await;
        let approve = json!({ "action": "approve", "thread_id": "t", "digest": digest });
        let (found, body) = served.ask_as(Some(&bearer), &approve).await;
        assert_eq!(found, status, "{named:?} {sent}: {body}");
        served.stop().await;
    }
}

/// Key servers with an oversized response, or without a secure transport.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_fetched_only_over_secure_transport() {
    for url in
        ["http://login.example/keys", "ftp://127.0.0.1/keys", "http://localhost.evil.example/keys", "keys"]
    {
        assert!(TokenVerifier::from_url(url).is_err(), "{url}");
    }
    for url in
        ["https://login.example/keys", "http://127.0.0.1:9/keys", "http://[::1]:9/keys", "http://localhost/k"]
    {
        assert!(TokenVerifier::from_url(url).is_ok(), "{url}");
    }
    let issuer = Issuer::new("k1");
    let mut keys: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    keys["padding"] = "x".repeat(1_000_000).into();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let body = keys.to_string();
    let routes = axum::Router::new().route("/keys", axum::routing::get(async move || body.clone()));
    tokio::spawn(async { axum::serve(listener, routes).await });
    let served = served(TokenVerifier::from_url(&url).unwrap());
    let (status, code) = response_to(&served, &issuer.token(&claims())).await;
    assert_eq!((status, code.as_str()), (503, "keys_unavailable"));
    served.stop().await;
}

/// The name of an operator may be in another claim than `sub`. The evidence has the subject in any case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_name_comes_only_from_the_configured_claim() {
    let issuer = Issuer::new("k1");
    let served = served(TokenVerifier::from_jwks(&issuer.jwks()).unwrap().name_claim("username"));
    let bearer = |changes: Value| format!("Bearer {}", issuer.token(&with(changes)));
    let named = json!({ "sub": "3f0c1d1e", "username": "mara" });
    let digest = served.waiting_for("t", Some(&bearer(named.clone()))).await;
    let get = json!({ "action": "get", "thread_id": "t" });
    for (changes, problem) in [
        (json!({ "sub": "mara" }), "missing, empty or not a string"),
        (json!({ "username": "" }), "missing, empty or not a string"),
        (json!({ "username": " " }), "missing, empty or not a string"),
        (json!({ "username": ["mara"] }), "missing, empty or not a string"),
        (json!({ "username": 7 }), "missing, empty or not a string"),
        (json!({ "username": "mara\nand noor" }), "control characters"),
        (json!({ "username": "x".repeat(201) }), "more than 200 bytes"),
        (json!({ "username": "mara", "sub": null }), "no subject"),
        (json!({ "username": "mara", "sub": "a\nb" }), "control characters"),
    ] {
        let (status, body) = served.ask_as(Some(&bearer(changes.clone())), &get).await;
        assert_eq!((status, &body["code"]), (401, &json!("token_invalid")), "{changes}: {body}");
        assert!(body["error"].as_str().unwrap().contains(problem), "{changes}: {body}");
        let is_named = body["error"].as_str().unwrap().contains("`username`");
        assert_eq!(is_named, problem.contains("missing"), "{changes}: {body}");
    }
    // Another subject of the same name, without a role, does not own the thread; the same subject does under a new name.
    let visitor = json!({ "sub": "77aa", "username": "mara", "roles": [] });
    assert_eq!(served.ask_as(Some(&bearer(visitor.clone())), &get).await.0, 404);
    let start = json!({ "thread_id": "t", "message": "A-9133 arrived broken" });
    assert_eq!(served.ask_as(Some(&bearer(visitor)), &start).await.0, 409);
    let renamed = json!({ "sub": "3f0c1d1e", "username": "mara.k", "roles": [] });
    assert_eq!(served.ask_as(Some(&bearer(renamed.clone())), &get).await.0, 200);
    assert_eq!(served.ask_as(Some(&bearer(renamed)), &start).await.0, 200);

    // The payload may have the `sub` too, but no one else's name.
    let approve_as = |operator: &str| json!({ "action": "approve", "thread_id": "t", "digest": digest, "operator": operator });
    let (status, body) = served.ask_as(Some(&bearer(named.clone())), &approve_as("77aa")).await;
    assert_eq!((status, &body["code"]), (403, &json!("operator_mismatch")), "{body}");
    let mut preview = approve_as("3f0c1d1e");
    (preview["action"], preview["verdict"]) = (json!("preview"), json!("approve"));
    assert_eq!(served.ask_as(Some(&bearer(named.clone())), &preview).await.0, 200);
    let approve = approve_as("mara");
    let (status, body) = served.ask_as(Some(&bearer(named)), &approve).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(served.desk.paid(), ["149 dollars for A-9133, signed by mara"]);
    let entries = served.agent.history("t", 0, 9).await.unwrap();
    let entries = serde_json::to_value(entries).unwrap();
    let decided = entries.as_array().unwrap().iter().find_map(|entry| entry["event"].get("decided")).unwrap();
    assert_eq!(
        (&decided["operator"], &decided["evidence"]["subject"]),
        (&json!("mara"), &json!("3f0c1d1e")),
        "{decided}"
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unverified_email_names_no_operator() {
    let issuer = Issuer::new("k1");
    let served = served(TokenVerifier::from_jwks(&issuer.jwks()).unwrap().name_claim("email"));
    for (verified, status) in
        [(json!(true), 404), (json!(false), 401), (json!("true"), 401), (json!(null), 401)]
    {
        let changes = json!({ "email": "mara@refunds.example", "email_verified": verified });
        let token = issuer.token(&with(changes));
        assert_eq!(response_to(&served, &token).await.0, status, "{verified}");
    }
    served.stop().await;
}
