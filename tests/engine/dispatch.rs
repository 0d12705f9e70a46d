//! Requests of the JSON API: each move reads its thread once, and answers with what the move has left.

use std::sync::atomic::Ordering;

use hitl::api::{self, Reply, Request};
use serde_json::{Value, json};

use super::{counting_store::CountingStore, kit::refund::*};

/// Dispatches a request as mara, and returns the response with the number of reads that it took.
async fn dispatch(agent: &hitl::Agent<Refunds>, store: &CountingStore, request: Value) -> (Value, u32) {
    let before = store.layer().reads.load(Ordering::SeqCst);
    let reply = api::dispatch(agent, Request::parse(request, None).unwrap(), Some(&mara())).await.unwrap();
    assert!(matches!(reply, Reply::Thread(_)));
    (serde_json::to_value(reply).unwrap(), store.layer().reads.load(Ordering::SeqCst) - before)
}

#[tokio::test]
async fn a_move_reads_its_thread_once_and_returns_its_view() {
    let store = CountingStore::default();
    let agent = Refunds::new(World::default(), store.clone());
    // Each with the number of reads.
    let verdicts = [
        (json!({ "action": "approve" }), 2),
        (json!({ "action": "edit", "patch": { "draft": { "dollars": 99 } } }), 2),
        (json!({ "action": "reject", "reason": "bad_plan", "note": "" }), 1),
        (json!({ "action": "ask", "question": "Is there a photo?" }), 1),
    ];
    for (number, (mut verdict, expected)) in verdicts.into_iter().enumerate() {
        let thread = format!("ticket-{number}");
        let start = json!({ "action": "start", "thread_id": thread, "input": message() });
        let (view, reads) = dispatch(&agent, &store, start).await;
        assert_eq!(reads, 1, "{view}");
        verdict["thread_id"] = json!(thread);
        verdict["digest"] = view["reviews"][0]["digest"].clone();
        let (view, reads) = dispatch(&agent, &store, verdict).await;
        // An effect reads what has been appended since it began: it may be stopped.
        assert_eq!(reads, expected, "{view}");
        // The response is what another request reads.
        let (again, _) = dispatch(&agent, &store, json!({ "action": "get", "thread_id": thread })).await;
        assert_eq!(view, again);
    }
}

/// A patch over the API names the signed field.
#[tokio::test]
async fn a_patch_that_does_not_name_the_signed_field_is_refused() {
    let agent = Refunds::new(World::default(), hitl::MemoryStore::new());
    let review = open(&agent, "ticket-1").await;
    for patch in [json!({ "dollars": 99 }), json!({ "draft": { "dollars": 99 }, "plan": "" }), json!({})] {
        let edit =
            json!({ "action": "edit", "thread_id": "ticket-1", "digest": review.digest(), "patch": patch });
        let edit = Request::parse(edit, None).unwrap();
        let error = api::dispatch(&agent, edit, Some(&mara())).await.unwrap_err();
        assert_eq!(
            (error.status, error.code, &error.details["field"]),
            (422, "invalid_patch", &json!("draft"))
        );
    }
}
