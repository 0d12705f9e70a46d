//! Tests of reviews and verdicts, and of the lists.

use hitl::{
    MemoryStore, SqliteStore,
    agentcore::OperatorAuth,
    cli::{Cli, Io},
};
use serde_json::json;

use crate::served::Served;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_from_the_inbox_to_the_end_of_its_thread() {
    let served = Served::start();
    let (thread, path) =
        ("Überweisung 7/№ 9 ?x=#1", "/v1/threads/%C3%9Cberweisung%207%2F%E2%84%96%209%20%3Fx=%231");
    let digest = served.waiting(thread).await;
    let _ = served.waiting("ticket-2").await;

    let (status, inbox) =
        served.get("/v1/reviews?operator=mara&roles=clerk&node=pay&thread_prefix=%C3%9Cb").await;
    assert_eq!((status, inbox["reviews"].as_array().unwrap().len()), (200, 1), "{inbox}");
    assert_eq!(
        (&inbox["reviews"][0]["thread"], &inbox["reviews"][0]["digest"]),
        (&json!(thread), &json!(digest))
    );
    for none in ["role=director", "node=draft", "thread_prefix=ticket-3"] {
        let (_, inbox) = served.get(&format!("/v1/reviews?operator=mara&roles=clerk&{none}")).await;
        assert_eq!(inbox["reviews"], json!([]), "{none}");
    }
    let (_, first) = served.get("/v1/reviews?operator=mara&roles=clerk&limit=1").await;
    let after = first["next"].as_str().unwrap().replace('+', "%2B");
    let (_, rest) = served.get(&format!("/v1/reviews?operator=mara&roles=clerk&limit=1&after={after}")).await;
    assert_ne!(first["reviews"][0]["thread"], rest["reviews"][0]["thread"]);

    let review = format!("{path}/reviews/{digest}");
    let patch = json!({ "draft": { "dollars": 120 } });
    let (status, preview) =
        served.post(&format!("{review}/preview"), json!({ "verdict": "edit", "patch": patch })).await;
    assert_eq!((status, &preview["signs"]["dollars"]), (200, &json!(120)), "{preview}");
    let edit = json!({ "verdict": "edit", "patch": patch, "note": "half" });
    let (status, view) = served.post(&format!("{review}/verdict"), edit).await;
    assert_eq!((status, &view["standing"]), (200, &json!("ended")), "{view}");
    assert_eq!(served.desk.paid().len(), 1);

    let (_, view) = served.get(path).await;
    assert_eq!((&view["thread"], &view["output"]["outcome"]), (&json!(thread), &view["fields"]["outcome"]));
    let (_, history) = served.get(&format!("{path}/history?limit=2")).await;
    assert_eq!((history["entries"].as_array().unwrap().len(), &history["next"]), (2, &json!(2)));
    let (_, threads) = served.get("/v1/threads?operator=mara&status=ended").await;
    assert_eq!(threads, json!({ "threads": [{ "thread": thread, "standing": "ended" }], "next": null }));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_verdicts_and_stops() {
    let served = Served::start();
    let digest = served.waiting("t").await;
    let all = json!({ "verdicts": [{ "verdict": "ask", "digest": digest, "question": "A photo?" }] });
    let (status, view) = served.post("/v1/threads/t/verdicts", all).await;
    assert_eq!((status, &view["reviews"][0]["draft"]["dollars"]), (200, &json!(99)), "{view}");
    let (status, view) = served.post("/v1/threads/t/pause", json!({ "reason": "she called" })).await;
    assert_eq!((status, &view["stop"]["reason"]), (200, &json!("she called")), "{view}");
    assert_eq!(served.post("/v1/threads/t/unpause", json!({})).await.0, 200);

    let (status, stops) = served.post("/v1/graph/cancel", json!({ "reason": "wrong prompt" })).await;
    assert_eq!((status, &stops["cancelled"]), (200, &json!(1)), "{stops}");
    assert_eq!(served.get("/v1/stops").await.1["stops"][0]["reason"], "wrong prompt");
    let verdict = format!("/v1/threads/t/reviews/{}/verdict", view["reviews"][0]["digest"].as_str().unwrap());
    let (status, problem) = served.post(&verdict, json!({ "verdict": "approve" })).await;
    assert_eq!((status, &problem["code"], &problem["by"]), (409, &json!("cancelled"), &json!("mara")));
    assert_eq!(served.post("/v1/graph/unpause", json!({})).await.1["stops"], json!([]));
    assert!(served.desk.paid().is_empty());
    served.stop().await;
}

/// One by HTTP and one on the command line, in one SQLite file: one wins, and the other one is told who.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_verdicts_at_once_wins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tickets.db");
    for round in 0..4 {
        let store = SqliteStore::open(&file).await.unwrap();
        let served = Served::with_store(store, OperatorAuth::claimed());
        let thread = format!("t-{round}");
        let digest = served.waiting(&thread).await;
        let verdict = format!("/v1/threads/{thread}/reviews/{digest}/verdict");
        let other = SqliteStore::open(&file).await.unwrap();
        let program = Cli::new(crate::refund_agent::Refunds::new(served.desk.clone(), other));
        let mut io = Io::process();
        io.stdin_is_terminal = false;
        let reject = [
            "refund",
            "reject",
            &thread,
            "--digest",
            &digest,
            "--reason",
            "other",
            "--operator",
            "noor",
            "--role",
            "clerk",
            "--json",
        ];
        let by_http = served.post(&verdict, json!({ "verdict": "approve" }));
        let by_cli = program.run_on(reject.map(std::ffi::OsString::from), false, io);
        // Each of them begins first in every other round.
        let (http, cli) = if round % 2 == 0 {
            tokio::join!(by_http, by_cli)
        } else {
            let (cli, http) = tokio::join!(by_cli, by_http);
            (http, cli)
        };
        let (status, body) = http;
        match status {
            200 => assert_eq!(cli.code(), 4, "{body}"),
            409 => {
                assert_eq!(
                    (&body["code"], &body["by"]),
                    (&json!("already_decided"), &json!("noor")),
                    "{body}"
                );
                assert_eq!((&body["verdict"], cli.code()), (&json!("reject"), 0));
            }
            _ => panic!("{status} {body}"),
        }
        served.agent.wait_idle().await;
        assert_eq!(served.desk.paid().len(), usize::from(status == 200));
        let (late, problem) = served.post(&verdict, json!({ "verdict": "approve" })).await;
        let winner = if status == 200 { "mara" } else { "noor" };
        assert_eq!((late, &problem["by"]), (409, &json!(winner)), "{problem}");
        served.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_of_one_store_agree_on_the_verdict() {
    let store = MemoryStore::new();
    let one = Served::with_store(store.clone(), OperatorAuth::claimed());
    let two = Served::with_store(store, OperatorAuth::claimed());
    let digest = one.waiting("t").await;
    let verdict = format!("/v1/threads/t/reviews/{digest}/verdict");
    let (a, b) = tokio::join!(
        one.post_by("mara", &verdict, json!({ "verdict": "approve" })),
        two.post_by("noor", &verdict, json!({ "verdict": "reject", "reason": "other", "note": "no" }))
    );
    let mut statuses = [a.0, b.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{a:?} {b:?}");
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_numbers_of_the_reviews_are_those_of_the_agent() {
    let served = Served::start();
    for (thread, verdict) in
        [("a", json!({ "verdict": "approve" })), ("b", json!({ "verdict": "reject", "reason": "other" }))]
    {
        let digest = served.waiting(thread).await;
        let (status, view) =
            served.post(&format!("/v1/threads/{thread}/reviews/{digest}/verdict"), verdict).await;
        assert_eq!(status, 200, "{view}");
    }
    let query = "operator=mara&roles=clerk";
    let (status, numbers) = served.get(&format!("/v1/metrics?by=operator&{query}")).await;
    let expected = serde_json::to_value(served.agent.metrics(None).await.unwrap().total()).unwrap();
    assert_eq!((status, &numbers["total"]), (200, &expected), "{numbers}");
    assert_eq!(
        (&numbers["total"]["approved"], &numbers["total"]["rejected"]),
        (&json!(1), &json!({ "other": 1 }))
    );
    assert_eq!(numbers["groups"][0]["name"], "mara");
    assert_eq!(numbers["groups"][0]["numbers"]["decisions"], 2);
    let (status, numbers) = served.get(&format!("/v1/metrics?since_ms=4000000000000&{query}")).await;
    assert_eq!(
        (status, &numbers["total"]["decisions"], numbers.get("groups")),
        (200, &json!(0), None),
        "{numbers}"
    );
    let (status, problem) = served.get(&format!("/v1/metrics?by=thread&{query}")).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_request")), "{problem}");
    served.stop().await;
}
