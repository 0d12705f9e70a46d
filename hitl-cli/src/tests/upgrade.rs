//! Messages about the threads of an earlier version of a program.

use hitl::{Agent, MemoryStore};
use serde_json::json;

use super::{
    fixture::{Ticket, cancel, desk_on, draft, pay},
    harness::call,
};
use crate::Exit;

/// The fixture after `execute` was renamed, without a `renamed` statement.
mod not_renamed {
    use super::*;

    hitl::graph! {
        /// Refunds a customer once a person has signed.
        pub(super) RefundAgent<Ticket> {
            start -> draft -> pay -> end;
            pay { reject -> cancel, ask -> draft }
            cancel -> end;
        }
    }
}

/// The fixture after `execute` was renamed, with a `renamed` statement.
mod renamed {
    use super::*;

    hitl::graph! {
        /// Refunds a customer once a person has signed.
        pub(super) RefundAgent<Ticket> {
            start -> draft -> pay -> end;
            renamed execute -> pay;
            pay { reject -> cancel, ask -> draft }
            cancel -> end;
        }
    }
}

// Another graph.
hitl::graph! {
    Letters<Ticket> {
        start -> draft -> pay -> end;
        pay { reject -> cancel, ask -> draft }
        cancel -> end;
    }
}

/// Returns a store in which `t` waits, `u` has failed and `v` has ended, and two later versions of the program.
async fn old_threads() -> (MemoryStore, Agent<not_renamed::RefundAgent>, Agent<renamed::RefundAgent>) {
    let store = MemoryStore::new();
    let (agent, clock) = desk_on(store.clone());
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    call(&agent, &["start", "--thread", "u", "please fail"], "").await;
    call(&agent, &["start", "--thread", "v", "it broke"], "").await;
    call(&agent, &["approve", "v", "--yes"], "").await;
    let not_renamed = Agent::new((), store.clone()).clock(clock.clone());
    (store.clone(), not_renamed, Agent::new((), store).clock(clock))
}

#[tokio::test]
async fn check_lists_incompatible_threads_and_writes_nothing() {
    use hitl::Store;

    let (store, not_renamed, renamed) = old_threads().await;
    let entries = store.entries(&"t".parse().unwrap(), 0.into(), 100).await.unwrap();
    let check = call(&not_renamed, &["check"], "").await;
    assert_eq!((check.exit, check.err.as_str()), (Exit::Refused, ""));
    assert_eq!(
        check.out,
        "✗ t  incompatible\n  - the thread is at node `execute`, which `RefundAgent` no longer has; if it was renamed, write `renamed execute -> …;` in `graph!`\n✓ u  compatible, with new code\n"
    );
    let check = call(&not_renamed, &["check", "--json"], "").await;
    let threads = &check.json()["threads"];
    assert_eq!((&threads[0]["thread"], &threads[0]["can_go_on"]), (&json!("t"), &json!(false)));
    let difference = &threads[0]["differences"][0];
    assert_eq!((&difference["code"], &difference["node"]), (&json!("node_gone"), &json!("execute")));
    assert_eq!(threads[1]["standing"], json!("failed"));
    assert_eq!(call(&not_renamed, &["check", "v"], "").await.out, "✓ v  ended\n");
    assert_eq!(call(&not_renamed, &["check", "w"], "").await.exit, Exit::NotFound);

    let check = call(&renamed, &["check"], "").await;
    assert_eq!(check.exit, Exit::Done);
    assert_eq!(
        check.out,
        "✓ t  compatible; the review before pay is reopened\n  - the signed content of the review before `pay` has changed\n✓ u  compatible, with new code\n"
    );
    assert_eq!(store.entries(&"t".parse().unwrap(), 0.into(), 100).await.unwrap(), entries);
    // The program that started the threads sees no difference.
    let (agent, _) = desk_on(store.clone());
    assert_eq!(call(&agent, &["check"], "").await.out, "✓ t  compatible\n✓ u  compatible\n");
    // A store may contain the threads of several programs.
    let other: Agent<Letters> = Agent::new((), store.clone());
    let check = call(&other, &["check"], "").await;
    assert_eq!(
        (check.exit, check.out.as_str()),
        (Exit::Done, "  2 more of other graphs, which are not checked\n")
    );
    let others = &call(&other, &["check", "--json"], "").await.json()["others"];
    assert_eq!(others[0], json!({ "thread": "t", "graph": "RefundAgent" }));
    assert_eq!(call(&other, &["check", "t"], "").await.exit, Exit::Refused);
    let (empty, _) = desk_on(MemoryStore::new());
    assert_eq!(call(&empty, &["check"], "").await.out, "No unfinished threads.\n");
}

#[tokio::test]
async fn an_incompatible_thread_is_shown_but_accepts_no_verdict() {
    let (_, not_renamed, _) = old_threads().await;
    let show = call(&not_renamed, &["show", "t"], "").await;
    assert_eq!(show.exit, Exit::Done);
    let lines: Vec<&str> = show.out.lines().collect();
    assert_eq!(lines[0], "✗ t waits before execute, and is incompatible with this program");
    assert!(lines[1].starts_with("  - the thread is at node `execute`"), "{}", show.out);
    assert!(show.out.contains("draft.amount    149"), "{}", show.out);
    let view = call(&not_renamed, &["show", "t", "--json"], "").await.json();
    assert_eq!((&view["reviews"][0]["verdicts"], &view["next"]), (&json!([]), &json!([])));
    assert_eq!(view["differences"][0]["code"], json!("node_gone"));
    for words in [&["approve", "t", "--yes"][..], &["reject", "t", "--reason", "other"], &["resume", "t"]] {
        let refused = call(&not_renamed, words, "").await;
        assert_eq!(refused.exit, Exit::Refused, "{words:?}");
        assert!(
            refused.err.starts_with(
                "error: thread `t` is incompatible with this program\n  - the thread is at node"
            ),
            "{}",
            refused.err
        );
        assert!(refused.err.ends_with("  try  refund show t\n"), "{}", refused.err);
    }
    let json = call(&not_renamed, &["approve", "t", "--yes", "--json"], "").await.json();
    assert_eq!((&json["error"]["code"], &json["error"]["exit"]), (&json!("graph_changed"), &json!(4)));
    assert_eq!(json["error"]["differences"][0]["code"], json!("node_gone"));
    assert_eq!(call(&not_renamed, &["history", "t"], "").await.exit, Exit::Done);
    assert_eq!(call(&not_renamed, &["draw", "t"], "").await.exit, Exit::Done);
}

#[tokio::test]
async fn a_digest_of_old_code_is_stale_and_the_new_one_signs() {
    let (store, _, renamed) = old_threads().await;
    let (agent, _) = desk_on(store);
    let old = call(&agent, &["show", "t", "--json"], "").await.json()["reviews"][0]["digest"].clone();
    let old = old.as_str().unwrap_or_default();
    let stale = call(&renamed, &["approve", "t", "--digest", &old[..12]], "").await;
    assert_eq!(stale.exit, Exit::Refused);
    assert!(
        stale.err.contains("was reopened under another digest, because the program changed what is signed"),
        "{}",
        stale.err
    );
    let shown = call(&renamed, &["show", "t", "--json"], "").await.json();
    assert_eq!(shown["reviews"][0]["node"], json!("pay"));
    let new = shown["reviews"][0]["digest"].as_str().unwrap_or_default();
    let approved = call(&renamed, &["approve", "t", "--digest", &new[..12]], "").await;
    assert_eq!((approved.exit, approved.err.as_str()), (Exit::Done, ""));
    let history = call(&renamed, &["history", "t"], "").await.out;
    assert!(history.contains("new code: execute is now pay"), "{history}");
}
