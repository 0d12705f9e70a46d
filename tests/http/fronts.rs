//! Tests of a front that serves the API: it records verdicts, runs nothing, and wakes a runner.

use hitl::{Front, MemoryStore, http::HttpApi};
use reqwest::Method;
use serde_json::json;

use crate::{
    program::Program,
    refund_agent::{Desk, Refunds, TicketInput},
    served::{Served, read},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_front_wakes_the_agent_of_its_process() {
    let desk = Desk::new();
    let agent = Refunds::new(desk.clone(), MemoryStore::new());
    let served = Served::front(agent.front(), agent.clone(), desk.clone());
    // A front starts nothing, and fails nothing.
    let start = json!({ "thread_id": "t", "input": { "message": "A-9133 arrived broken" } });
    let started = served.request(Method::POST, "/v1/threads").json(&start).send().await.unwrap();
    let (status, problem) = read(started).await;
    assert_eq!((status, &problem["code"]), (409, &json!("not_a_runner")), "{problem}");
    assert_eq!(served.get("/v1/threads/t").await.0, 404);
    let input = TicketInput { message: "A-9133 arrived broken".into() };
    let _ = agent.start("t", input).await.unwrap();
    let digest = agent.view("t").await.unwrap().reviews[0].digest;
    let mut heard = agent.listen("t").unwrap();
    let verdict = format!("/v1/threads/t/reviews/{digest}/verdict");
    let (status, view) = served.post(&verdict, json!({ "verdict": "approve" })).await;
    assert_eq!(status, 200, "{view}");
    while !matches!(heard.next().await, hitl::ThreadEvent::Entry(entry) if entry.event.name() == "ended") {}
    assert_eq!(desk.paid().len(), 1);
    // The paths of AgentCore are not there.
    let invoked = served.request(Method::POST, "/invocations").json(&start).send().await.unwrap();
    assert_eq!(invoked.status(), 404);
    assert_eq!(served.request(Method::GET, "/ping").send().await.unwrap().status(), 200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_front_without_a_runner_only_records() {
    let store = MemoryStore::new();
    let desk = Desk::new();
    let agent = Refunds::new(desk.clone(), store.clone());
    let _ = agent.start("t", TicketInput { message: "A-9133".into() }).await.unwrap();
    let digest = agent.view("t").await.unwrap().reviews[0].digest;
    let served = Served::front(Front::new(store), agent.clone(), desk.clone());
    let verdict = format!("/v1/threads/t/reviews/{digest}/verdict");
    let (status, view) = served.post(&verdict, json!({ "verdict": "approve" })).await;
    assert_eq!(
        (status, &view["standing"], &view["nodes"]),
        (200, &json!("running"), &json!(["pay"])),
        "{view}"
    );
    assert!(desk.paid().is_empty());
    agent.sweep().await.unwrap();
    assert_eq!(desk.paid().len(), 1);
    served.stop().await;
}

/// Two processes of the example: one runs the agent, the other one serves people, and wakes it.
#[tokio::test]
async fn a_front_in_a_process_of_its_own_wakes_the_runner() {
    let folder = tempfile::tempdir().unwrap();
    let runner = Program::start(folder.path(), &["serve"], &[("HITL_SWEEP", "none")]);
    let front = Program::start(folder.path(), &["serve", "--front"], &[("HITL_RUNNER_URL", &runner.url(""))]);
    let client = reqwest::Client::new();
    let post = async |url: String, body: serde_json::Value| {
        read(client.post(url).json(&body).send().await.unwrap()).await
    };
    let message = "Please refund order A-9133, it arrived broken. I paid $149.";
    let start = json!({ "thread_id": "t", "input": { "message": message } });
    let (status, view) = post(runner.url("/v1/threads"), start).await;
    assert_eq!(status, 200, "{view}");
    let digest = view["reviews"][0]["digest"].as_str().unwrap();
    let events = client.get(front.url("/v1/threads/t/events?after=3")).send().await.unwrap();
    let approve = json!({ "verdict": "approve", "operator": "mara", "roles": ["refund-approver"] });
    let (status, view) = post(front.url(&format!("/v1/threads/t/reviews/{digest}/verdict")), approve).await;
    assert_eq!(status, 200, "{view}");
    // The stream ends after the thread: without a sweep, only the wake has run it.
    let text = tokio::time::timeout(std::time::Duration::from_secs(60), events.text()).await;
    let text = text.expect("the runner was not woken").unwrap();
    assert!(text.contains(r#""ended""#), "{text}");

    // A runner that is away does not fail a verdict.
    let start = json!({ "thread_id": "u", "input": { "message": message } });
    let (_, view) = post(runner.url("/v1/threads"), start).await;
    let digest = view["reviews"][0]["digest"].as_str().unwrap();
    drop(runner);
    let reject =
        json!({ "verdict": "reject", "reason": "other", "operator": "mara", "roles": ["refund-approver"] });
    let (status, view) = post(front.url(&format!("/v1/threads/u/reviews/{digest}/verdict")), reject).await;
    assert_eq!(
        (status, &view["standing"], &view["nodes"]),
        (200, &json!("running"), &json!(["cancel"])),
        "{view}"
    );
}

#[test]
fn an_invalid_runner_is_an_error_of_usage() {
    let folder = tempfile::tempdir().unwrap();
    for (url, token) in [
        ("runner:8080", ""),
        ("not a url", ""),
        ("ftp://runner/", ""),
        ("http://runner/?token=s3cret", ""),
        ("http://name:s3cret@127.0.0.1/", ""),
        // The token could be read in transit.
        ("http://runner.example/", "s3cret"),
    ] {
        let mut settings = vec![("HITL_RUNNER_URL", url)];
        settings.extend((!token.is_empty()).then_some(("HITL_RUNNER_TOKEN", token)));
        let output = Program::command(folder.path(), &["serve", "--front"], &settings).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{url}: {said}");
        assert!(said.contains("HITL_RUNNER_URL") && !said.contains("s3cret"), "{url}: {said}");
    }
}

/// Nothing stands in front of a front, so it identifies its callers itself, or serves this machine only.
#[test]
fn a_front_without_tokens_serves_only_its_machine() {
    let folder = tempfile::tempdir().unwrap();
    for (operators, could) in [("", "read every thread"), ("claimed", "sign in any name")] {
        let arguments = ["serve", "--front", "--listen", "0.0.0.0:0"];
        let mut command = Program::command(folder.path(), &arguments, &[]);
        command.env_remove("HITL_OPERATORS");
        if !operators.is_empty() {
            command.env("HITL_OPERATORS", operators);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(could) && said.contains("listen on 127.0.0.1"), "{said}");
    }
}

/// A caller whose address is unknown is not on this machine.
#[tokio::test]
async fn a_mounted_front_without_tokens_serves_only_its_machine() {
    for (app, expected) in [
        (HttpApi::new(Front::<Refunds>::new(MemoryStore::new())).router(), 403),
        (HttpApi::new(Front::<Refunds>::new(MemoryStore::new())).let_anyone_decide().router(), 404),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/threads/t", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, app).await });
        let (status, problem) = read(reqwest::get(url).await.unwrap()).await;
        assert_eq!(status, expected, "{problem}");
        serving.abort();
    }
}

/// A runner behind AgentCore reports an error with the status 200.
#[tokio::test]
async fn a_runner_that_refuses_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let answered = axum::Router::new().fallback(async |headers: axum::http::HeaderMap| {
        let token = headers.get("authorization").map(|token| token.to_str().unwrap().to_owned());
        json!({ "code": "unknown_thread", "message": token }).to_string()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, answered).await });
    let token = folder.path().join("token");
    let runner = Program::start(folder.path(), &["serve"], &[("HITL_SWEEP", "none")]);
    let client = reqwest::Client::new();
    let start =
        json!({ "thread_id": "t", "input": { "message": "Please refund order A-9133. I paid $149." } });
    let (_, view) = read(client.post(runner.url("/v1/threads")).json(&start).send().await.unwrap()).await;
    let digest = view["reviews"][0]["digest"].as_str().unwrap();
    let file = token.to_str().unwrap();
    let settings = [("HITL_RUNNER_URL", &*url), ("HITL_RUNNER_TOKEN_FILE", file)];
    let mut front = Program::start(folder.path(), &["serve", "--front"], &settings);
    // The token is written after the start.
    std::fs::write(&token, "s3cret\n").unwrap();
    let approve = json!({ "verdict": "approve", "operator": "mara", "roles": ["refund-approver"] });
    let verdict = front.url(&format!("/v1/threads/t/reviews/{digest}/verdict"));
    let (status, view) = read(client.post(verdict).json(&approve).send().await.unwrap()).await;
    assert_eq!(status, 200, "{view}");
    let said = tokio::task::spawn_blocking(move || front.line_with("not woken")).await.unwrap();
    assert!(said.contains("200 OK, code unknown_thread") && !said.contains("s3cret"), "{said}");
    serving.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_an_allowed_origin_uses_the_api() {
    let desk = Desk::new();
    let agent = Refunds::new(desk.clone(), MemoryStore::new());
    let served = Served::front_with(agent.front(), agent.clone(), desk, |api| {
        api.allow_origin("https://desk.example")
    });
    let _ = agent.start("t", TicketInput { message: "A-9133".into() }).await.unwrap();
    for (origin, is_allowed) in [("https://desk.example", true), ("https://evil.example", false)] {
        let asked = served.request(Method::OPTIONS, "/v1/threads/t/pause").header("origin", origin);
        let asked = asked.header("access-control-request-method", "POST");
        let asked = asked.header("access-control-request-headers", "authorization,content-type");
        let asked = asked.send().await.unwrap();
        let allowed = asked.headers().get("access-control-allow-origin");
        assert_eq!(allowed.is_some_and(|allowed| allowed == origin), is_allowed, "{asked:?}");
        let got = served.request(Method::GET, "/v1/threads/t").header("origin", origin);
        let got = got.header("sec-fetch-site", "cross-site").send().await.unwrap();
        let readable =
            got.headers().get("access-control-allow-origin").is_some_and(|allowed| allowed == origin);
        assert_eq!((got.status() == 200, readable), (is_allowed, is_allowed), "{got:?}");
    }
    served.stop().await;
}

/// A proxy on this machine sends what comes from elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_is_no_caller_of_its_machine() {
    let desk = Desk::new();
    let agent = Refunds::new(desk.clone(), MemoryStore::new());
    let served = Served::front(agent.front(), agent.clone(), desk);
    let _ = agent.start("t", TicketInput { message: "A-9133".into() }).await.unwrap();
    assert_eq!(served.get("/v1/threads/t").await.0, 200);
    for name in ["forwarded", "x-forwarded-for", "x-real-ip", "via"] {
        let request = served.request(Method::GET, "/v1/threads/t").header(name, "203.0.113.7");
        let (status, problem) = read(request.send().await.unwrap()).await;
        assert_eq!((status, &problem["code"]), (403, &json!("foreign_peer")), "{name}: {problem}");
    }
    served.stop().await;
}
