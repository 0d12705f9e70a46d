//! Tests of containers that share only a table in DynamoDB.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{container::Container, table::Table};

/// Returns the number of refunds, and the number of calls that requested them.
fn ledger(folder: &std::path::Path) -> (u32, u32) {
    let ledger = rusqlite::Connection::open(folder.join("refund.ledger.db")).unwrap();
    let counts = "SELECT (SELECT count(*) FROM refunds), (SELECT count(*) FROM calls)";
    ledger.query_row(counts, (), |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[tokio::test]
async fn containers_resume_each_other_and_pay_once() {
    const ROUNDS: u32 = 10;
    let (folder, table) = (tempfile::tempdir().unwrap(), Table::create().await);
    let start = || Container::start(folder.path(), &table.settings());
    let mut gone = start();
    let mut clicks = Vec::new();
    for round in 0..ROUNDS {
        let thread = format!("ticket-{round}");
        let message = "Please refund order A-9133, it arrived broken. I paid $149.";
        let (status, view) = gone.ask(&json!({ "thread_id": thread, "message": message })).await;
        assert_eq!((status, &view["standing"]), (200, &json!("waiting")), "{view}");
        clicks.push(json!({
            "action": "approve", "thread_id": thread, "digest": view["reviews"][0]["digest"],
            "operator": "mara", "roles": ["refund-approver"],
        }));
    }
    gone.kill();

    let containers = [start(), start(), start()];
    for click in &clicks {
        let answers = join_all(containers.iter().map(|container| container.ask(click))).await;
        let (paid, late): (Vec<_>, Vec<_>) = answers.iter().partition(|(status, _)| *status == 200);
        assert_eq!((paid.len(), &paid[0].1["standing"]), (1, &json!("ended")), "{answers:?}");
        assert!(
            late.iter().all(|(status, body)| (*status, code(body)) == (409, "already_decided")),
            "{late:?}"
        );
    }
    assert_eq!(ledger(folder.path()), (ROUNDS, ROUNDS));
}

fn code(body: &Value) -> &str {
    body["code"].as_str().unwrap_or_default()
}
