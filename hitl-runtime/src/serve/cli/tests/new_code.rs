//! Messages about the threads of an earlier version of a program.

use serde_json::json;

use super::{
    desk::{self, EXECUTE, Ticket, TicketView, desk_on, node},
    harness::call,
};
use crate::{
    Agent, Error, MemoryStore,
    graph::{GraphSpec, NodeSpec},
    run::{Graph, NodeEntry, Outlook},
    serve::cli::Exit,
    state::State,
};

/// The fixture after `execute` was renamed.
struct Later<const WHICH: u8>;

/// Without a `renamed` statement.
const UNSAID: u8 = 0;
/// With a `renamed` statement.
const SAID: u8 = 1;
/// With another name of the graph itself.
const OTHER: u8 = 2;

const PAY: NodeSpec = NodeSpec { name: "pay", ..EXECUTE };

impl<const WHICH: u8> Graph for Later<WHICH> {
    type State = Ticket;
    type Deps = ();
    type Turn = ();
    const SPEC: &'static GraphSpec = &GraphSpec {
        state: Ticket::SPEC,
        nodes: &[node("draft", &["draft"]), PAY, node("cancel", &["outcome"])],
        name: if WHICH == OTHER { "Letters" } else { "RefundAgent" },
        renamed: if WHICH == SAID { &[("execute", "pay")] } else { &[] },
        ..*desk::RefundAgent::SPEC
    };
    const NODES: &'static [NodeEntry<Ticket, ()>] = &[
        NodeEntry {
            spec: node("draft", &["draft"]),
            reviewed: None,
            run: |args| Box::pin(async move { desk::draft(&args) }),
        },
        NodeEntry {
            spec: PAY,
            reviewed: desk::RefundAgent::NODES[1].reviewed,
            run: |args| Box::pin(async move { desk::execute(&args) }),
        },
        NodeEntry {
            spec: node("cancel", &["outcome"]),
            reviewed: None,
            run: |args| Box::pin(async move { desk::cancel(&args) }),
        },
    ];

    fn route(_: usize, _: &TicketView<'_>) -> Option<usize> {
        None
    }

    fn turn(_: Outlook<Self>) -> Result<(), Error> {
        Ok(())
    }
}

/// Returns a store in which `t` waits, `u` has failed and `v` has ended, and two later versions of the program.
async fn left() -> (MemoryStore, Agent<Later<UNSAID>>, Agent<Later<SAID>>) {
    let store = MemoryStore::new();
    let (agent, clock) = desk_on(store.clone());
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    call(&agent, &["start", "--thread", "u", "please fail"], "").await;
    call(&agent, &["start", "--thread", "v", "it broke"], "").await;
    call(&agent, &["approve", "v", "--yes"], "").await;
    let unsaid = Agent::new((), store.clone()).clock(clock.clone());
    (store.clone(), unsaid, Agent::new((), store).clock(clock))
}

#[tokio::test]
async fn check_names_the_threads_that_cannot_go_on_and_writes_nothing() {
    use crate::Store;

    let (store, unsaid, said) = left().await;
    let entries = store.entries(&"t".parse().unwrap(), 0, 100).await.unwrap();
    let check = call(&unsaid, &["check"], "").await;
    assert_eq!((check.exit, check.err.as_str()), (Exit::Refused, ""));
    assert_eq!(
        check.out,
        "✗ t  cannot go on\n  - it stands at node `execute`, which `RefundAgent` no longer has; if it has another name now, write `renamed execute -> …;` in `graph!`\n✓ u  can go on, under new code\n"
    );
    let check = call(&unsaid, &["check", "--json"], "").await;
    let threads = &check.json()["threads"];
    assert_eq!((&threads[0]["thread"], &threads[0]["can_go_on"]), (&json!("t"), &json!(false)));
    let difference = &threads[0]["differences"][0];
    assert_eq!((&difference["code"], &difference["node"]), (&json!("node_gone"), &json!("execute")));
    assert_eq!(threads[1]["standing"], json!("failed"));
    assert_eq!(call(&unsaid, &["check", "v"], "").await.out, "✓ v  has ended\n");
    assert_eq!(call(&unsaid, &["check", "w"], "").await.exit, Exit::Unknown);

    let check = call(&said, &["check"], "").await;
    assert_eq!(check.exit, Exit::Done);
    assert_eq!(
        check.out,
        "✓ t  can go on; the review before pay is opened again\n  - what is signed before `pay` has changed\n✓ u  can go on, under new code\n"
    );
    assert_eq!(store.entries(&"t".parse().unwrap(), 0, 100).await.unwrap(), entries);
    // The program that started the threads sees no difference.
    let (agent, _) = desk_on(store.clone());
    assert_eq!(call(&agent, &["check"], "").await.out, "✓ t  can go on\n✓ u  can go on\n");
    // A store may contain the threads of several programs.
    let other: Agent<Later<OTHER>> = Agent::new((), store.clone());
    let check = call(&other, &["check"], "").await;
    assert_eq!(
        (check.exit, check.out.as_str()),
        (Exit::Done, "  2 more of other graphs: not this program's\n")
    );
    let others = &call(&other, &["check", "--json"], "").await.json()["others"];
    assert_eq!(others[0], json!({ "thread": "t", "graph": "RefundAgent" }));
    assert_eq!(call(&other, &["check", "t"], "").await.exit, Exit::Refused);
    let (empty, _) = desk_on(MemoryStore::new());
    assert_eq!(call(&empty, &["check"], "").await.out, "No thread is under way.\n");
}

#[tokio::test]
async fn a_thread_that_cannot_go_on_is_shown_and_takes_no_verdict() {
    let (_, unsaid, _) = left().await;
    let show = call(&unsaid, &["show", "t"], "").await;
    assert_eq!(show.exit, Exit::Done);
    let lines: Vec<&str> = show.out.lines().collect();
    assert_eq!(lines[0], "✗ t waits before execute, and cannot go on in this program");
    assert!(lines[1].starts_with("  - it stands at node `execute`"), "{}", show.out);
    assert!(show.out.contains("draft.amount    149"), "{}", show.out);
    let view = call(&unsaid, &["show", "t", "--json"], "").await.json();
    assert_eq!((&view["reviews"][0]["verdicts"], &view["next"]), (&json!([]), &json!([])));
    assert_eq!(view["differences"][0]["code"], json!("node_gone"));
    for words in [&["approve", "t", "--yes"][..], &["reject", "t", "--reason", "other"], &["resume", "t"]] {
        let refused = call(&unsaid, words, "").await;
        assert_eq!(refused.exit, Exit::Refused, "{words:?}");
        assert!(
            refused.err.starts_with("error: thread `t` cannot go on in this program\n  - it stands"),
            "{}",
            refused.err
        );
        assert!(refused.err.ends_with("  try  refund show t\n"), "{}", refused.err);
    }
    let json = call(&unsaid, &["approve", "t", "--yes", "--json"], "").await.json();
    assert_eq!((&json["error"]["code"], &json["error"]["exit"]), (&json!("graph_changed"), &json!(4)));
    assert_eq!(json["error"]["differences"][0]["code"], json!("node_gone"));
    assert_eq!(call(&unsaid, &["history", "t"], "").await.exit, Exit::Done);
    assert_eq!(call(&unsaid, &["draw", "t"], "").await.exit, Exit::Done);
}

#[tokio::test]
async fn a_digest_from_before_is_stale_and_the_new_one_signs() {
    let (store, _, said) = left().await;
    let (agent, _) = desk_on(store);
    let old = call(&agent, &["show", "t", "--json"], "").await.json()["reviews"][0]["digest"].clone();
    let old = old.as_str().unwrap_or_default();
    let stale = call(&said, &["approve", "t", "--digest", &old[..12]], "").await;
    assert_eq!(stale.exit, Exit::Refused);
    assert!(
        stale.err.contains("was reopened under another digest, because the program changed what is signed"),
        "{}",
        stale.err
    );
    let shown = call(&said, &["show", "t", "--json"], "").await.json();
    assert_eq!(shown["reviews"][0]["node"], json!("pay"));
    let new = shown["reviews"][0]["digest"].as_str().unwrap_or_default();
    let approved = call(&said, &["approve", "t", "--digest", &new[..12]], "").await;
    assert_eq!((approved.exit, approved.err.as_str()), (Exit::Done, ""));
    let history = call(&said, &["history", "t"], "").await.out;
    assert!(history.contains("met new code: execute is now pay"), "{history}");
}
