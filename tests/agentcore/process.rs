//! What a stop leaves behind.

use serde_json::json;

use crate::served::Served;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_what_runs_come_to_its_end() {
    let served = Served::start();
    served.desk.shut();
    let (agent, desk) = (served.agent.clone(), served.desk.clone());
    let start = tokio::spawn(served.post(&json!({ "thread_id": "t", "message": "A-1" })).send());
    desk.entered.acquire().await.unwrap().forget();
    let stopped = tokio::spawn(served.stop());
    tokio::task::yield_now().await;
    desk.open();
    stopped.await.unwrap();
    assert_eq!(agent.view("t").await.unwrap().standing.as_str(), "waiting");
    // Whoever asked before the stop is answered.
    assert_eq!(start.await.unwrap().unwrap().status(), 200);
}
