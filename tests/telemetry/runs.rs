//! The spans and events of real runs.

use std::{
    future::Future as _,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};

use hitl::{
    ManualClock, Store, StoreError, Timestamp,
    prelude::*,
    store::{Append, BoxFuture, LayeredStore, StoreLayer},
};
use hitl_testkit::{CallOutcome, FailingStore, Faults};
use tokio::sync::Semaphore;
use tracing::Level;

use crate::{
    capture::{Seen, begin, seen},
    refund_agent::{Desk, RESPONSE, RefundAgent, RefundAgentTurn, input, mara, open, review},
};

/// Returns one field of each span.
fn values<'a>(seen: &'a Seen, spans: &[usize], field: &str) -> Vec<&'a str> {
    spans.iter().map(|span| seen.spans[*span].fields.get(field).map_or("-", String::as_str)).collect()
}

#[tokio::test]
async fn a_refund_is_a_tree_of_spans() {
    begin();
    let desk = Desk::new([r#"{"payee": "Ada", "dollars": 9000}"#, RESPONSE]);
    desk.failures.store(1, Ordering::SeqCst);
    let agent = RefundAgent::new(desk.clone(), MemoryStore::new());
    let review = open(&agent, "tree").await;
    let digest = review.digest().to_string();
    assert!(matches!(review.approve(&mara()).await.unwrap(), RefundAgentTurn::Done(_)));

    let seen = seen();
    let threads = seen.spans_of("tree", "thread");
    assert_eq!(values(&seen, &threads, "operation"), ["start", "decide"]);
    assert_eq!(values(&seen, &threads, "graph"), ["RefundAgent"; 2]);
    let nodes = seen.spans_of("tree", "node");
    assert_eq!(values(&seen, &nodes, "node"), ["plan", "plan", "draft", "pay"]);
    assert_eq!(values(&seen, &nodes, "attempt"), ["1", "2", "1", "1"]);
    assert_eq!(values(&seen, &nodes, "effect"), ["false", "false", "false", "true"]);
    assert_eq!(values(&seen, &nodes, "place"), ["0", "0", "2", "5"]);
    let paid = desk.paid.lock().unwrap().clone();
    assert_eq!(values(&seen, &nodes, "idempotency_key"), ["-", "-", "-", paid[0].as_str()]);
    for (node, thread) in nodes.iter().zip([0, 0, 0, 1]) {
        assert_eq!(seen.spans[*node].parent, Some(threads[thread]));
    }

    let models = seen.spans_of("tree", "model");
    assert_eq!(models.len(), 2);
    for model in &models {
        assert_eq!(seen.path(Some(*model)), ["thread", "node", "model"]);
        assert_eq!(seen.inherited(Some(*model), "node"), Some("draft"));
    }
    assert_eq!(values(&seen, &models, "model_attempt"), ["1", "2"]);
    assert_eq!(values(&seen, &models, "gen_ai.request.model"), ["MockModel"; 2]);
    assert_eq!(values(&seen, &models, "gen_ai.output.type"), ["json"; 2]);
    assert_eq!(values(&seen, &models, "finish_reason"), ["end"; 2]);
    assert_eq!(seen.events_of("tree", "response rejected").len(), 1);

    let stores = seen.spans_of("tree", "store");
    let in_threads = stores.iter().filter(|store| seen.path(Some(**store)) == ["thread", "store"]);
    assert_eq!(in_threads.count(), stores.len(), "every call of the two operations is in one of them");
    let appends: Vec<_> = stores
        .into_iter()
        .filter(|store| seen.spans[*store].fields["db.operation.name"] == "append")
        .collect();
    assert_eq!(values(&seen, &appends, "db.system.name"), vec!["memory"; appends.len()]);
    assert_eq!(values(&seen, &appends, "place"), ["0", "1", "2", "3", "5", "7"]);
    assert_eq!(values(&seen, &appends, "entries"), ["1", "1", "1", "2", "2", "2"]);
    let bytes = appends.iter().map(|append| seen.spans[*append].fields["bytes"].parse::<usize>().unwrap());
    let stored = agent.store().entries(&"tree".parse().unwrap(), hitl::Place::START, 100).await.unwrap();
    assert_eq!(bytes.sum::<usize>(), stored.iter().map(|record| record.body.len()).sum::<usize>());

    assert_eq!(
        seen.messages("tree"),
        [
            "thread started",
            "node failed; it is retried",
            "review opened",
            "review decided",
            "effect begun",
            "the bank is called",
            "effect done",
            "thread ended",
        ]
    );
    let retried = seen.events_of("tree", "node failed; it is retried")[0];
    let of_retry = ["node", "attempt", "backoff_ms", "place"].map(|field| retried.fields[field].as_str());
    assert_eq!((of_retry, retried.level), (["plan", "1", "1", "1"], Level::WARN));
    let decided = seen.events_of("tree", "review decided")[0];
    let of_verdict = ["node", "verdict", "operator", "unverified", "digest", "place"];
    let of_verdict = of_verdict.map(|field| decided.fields[field].as_str());
    assert_eq!(of_verdict, ["pay", "approve", "mara", "false", digest.as_str(), "5"]);
    assert_eq!(seen.path(decided.span), ["thread"]);
    let begun = seen.events_of("tree", "effect begun")[0];
    assert_eq!((begun.fields["idempotency_key"].as_str(), begun.level), (paid[0].as_str(), Level::INFO));
    let ended = seen.events_of("tree", "attempt ended");
    let outcomes: Vec<_> = ended.iter().map(|event| event.fields["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["failed", "wrote", "wrote", "wrote"]);

    // What the node itself logs.
    let called = seen.events_of("tree", "the bank is called")[0];
    assert_eq!(seen.path(called.span), ["thread", "node"]);
    assert_eq!(seen.inherited(called.span, "node"), Some("pay"));
}

#[tokio::test]
async fn spans_follow_work_whose_caller_is_gone() {
    begin();
    let desk = Desk { gate: Arc::new(Semaphore::new(0)), ..Desk::new([RESPONSE]) };
    let agent = RefundAgent::new(desk.clone(), MemoryStore::new());
    let review = open(&agent, "gone").await;
    let mara = mara();
    {
        let mut call = pin!(review.approve(&mara));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    // The caller has dropped its future. The payment goes on in a task of its own.
    desk.gate.add_permits(1);
    agent.wait_idle().await;

    let seen = seen();
    let done = seen.events_of("gone", "effect done")[0];
    assert_eq!(seen.path(done.span), ["thread"]);
    assert_eq!(seen.inherited(done.span, "operation"), Some("decide"));
    let ended = seen.events_of("gone", "attempt ended");
    assert_eq!(seen.inherited(ended.last().unwrap().span, "node"), Some("pay"));
}

#[tokio::test]
async fn a_conflict_is_seen_and_decides_nothing() {
    begin();
    let agent = RefundAgent::new(Desk::new([RESPONSE]), MemoryStore::new());
    let first = open(&agent, "conflict").await;
    let second = review(agent.turn("conflict").await.unwrap());
    let _ = first.approve(&mara()).await.unwrap();
    let error = second.approve(&mara()).await.err().unwrap();
    assert_eq!(error.code(), "already_decided");

    let seen = seen();
    let stores = seen.spans_of("conflict", "store");
    let failed: Vec<_> =
        stores.into_iter().filter(|store| seen.spans[*store].fields.contains_key("error.type")).collect();
    assert_eq!(values(&seen, &failed, "error.type"), ["conflict"]);
    let call = seen.events_of("conflict", "store call failed");
    assert_eq!((call.len(), call[0].span), (1, Some(failed[0])));
    let conflict = seen.events_of("conflict", "append conflict");
    assert_eq!((conflict.len(), conflict[0].level), (1, Level::DEBUG));
    assert_eq!(seen.inherited(conflict[0].span, "operation"), Some("decide"));
    for once in ["review decided", "effect begun", "effect done"] {
        assert_eq!(seen.events_of("conflict", once).len(), 1, "{once}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_append_that_is_retried_is_logged_once_it_is_stored() {
    begin();
    let store = FailingStore::new(MemoryStore::new(), Faults::default());
    store.layer().appends([CallOutcome::Success, CallOutcome::Failure, CallOutcome::ResponseLost]);
    let agent = RefundAgent::new(Desk::new([RESPONSE]), store.clone());
    let _ = open(&agent, "retry").await;
    assert!(store.layer().is_exhausted());

    let seen = seen();
    let retries = seen.events_of("retry", "append failed; it is retried");
    let failures: Vec<_> = retries.iter().map(|retry| retry.fields["failures"].as_str()).collect();
    assert_eq!((failures, retries[0].level), (vec!["1", "2"], Level::WARN));
    // The third attempt was a conflict with the second, whose response was lost.
    assert_eq!(seen.events_of("retry", "append conflict").len(), 0);
    assert_eq!(seen.events_of("retry", "node done").len(), 2);
}

#[tokio::test]
async fn a_takeover_leads_to_doubt_and_a_settlement() {
    begin();
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let store = FailingStore::new(MemoryStore::new(), Faults::default());
    let desk = Desk::new([RESPONSE]);
    let agent = RefundAgent::new(desk.clone(), store.clone()).clock(clock.clone());
    let review = open(&agent, "takeover").await;
    // The runner fails after the payment, before it can record it.
    store.layer().appends([CallOutcome::Success, CallOutcome::PermanentFailure]);
    assert_eq!(review.approve(&mara()).await.err().unwrap().code(), "store");
    assert_eq!(seen().events_of("takeover", "effect done").len(), 0, "it is not stored");
    clock.advance(Duration::from_secs(60));
    agent.sweep().await.unwrap();
    let RefundAgentTurn::InDoubt(doubt) = agent.turn("takeover").await.unwrap() else {
        panic!("expected an effect in doubt")
    };
    let wrote = serde_json::from_str(r#"{"outcome": "149 to Ada"}"#).unwrap();
    assert!(matches!(doubt.happened(&mara(), wrote).await.unwrap(), RefundAgentTurn::Done(_)));

    let seen = seen();
    let taken = seen.events_of("takeover", "lease taken over");
    assert_eq!((taken.len(), taken[0].level), (1, Level::WARN));
    assert_eq!(seen.inherited(taken[0].span, "operation"), Some("sweep"));
    let doubt = seen.events_of("takeover", "effect in doubt");
    assert_eq!((doubt.len(), doubt[0].level), (1, Level::WARN));
    assert_eq!(doubt[0].fields["idempotency_key"], desk.paid.lock().unwrap()[0]);
    let settled = seen.events_of("takeover", "effect settled")[0];
    let fields = ["node", "settlement", "operator"].map(|field| settled.fields[field].as_str());
    assert_eq!(fields, ["pay", "happened", "mara"]);
    assert_eq!(seen.inherited(settled.span, "operation"), Some("settle"));
}

#[tokio::test]
async fn reminders_and_expiry_are_logged() {
    begin();
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let agent = RefundAgent::new(Desk::new([RESPONSE]), MemoryStore::new()).clock(clock.clone());
    let _ = open(&agent, "late").await;
    for hours in [7, 18] {
        clock.advance(Duration::from_secs(3_600 * hours));
        agent.sweep().await.unwrap();
    }
    let seen = seen();
    assert_eq!(seen.events_of("late", "reminder due")[0].fields["times"], "1");
    assert_eq!(seen.events_of("late", "review expired").len(), 1);
    assert_eq!(seen.events_of("late", "review decided").len(), 0);
    assert_eq!(seen.events_of("late", "lease taken over").len(), 0, "nobody ran the thread");
}

/// A store of a third party, whose appends a second runner can precede.
struct Shared {
    clock: ManualClock,
    rival: hitl::Agent<RefundAgent>,
    armed: Arc<AtomicBool>,
}

impl StoreLayer for Shared {
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let last = append.records.last().is_some_and(|record| record.place >= 5);
            if last && self.armed.swap(false, Ordering::SeqCst) {
                store.append(append).await?;
                self.clock.advance(Duration::from_secs(60));
                self.rival.sweep().await.unwrap();
                return Ok(());
            }
            store.append(append).await
        })
    }
}

#[tokio::test]
async fn a_lost_lease_is_logged_and_its_effect_is_not_called() {
    begin();
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let (memory, desk) = (MemoryStore::new(), Desk::new([RESPONSE]));
    let rival = RefundAgent::new(desk.clone(), memory.clone()).clock(clock.clone());
    let layer = Shared { clock: clock.clone(), rival, armed: Arc::new(AtomicBool::new(true)) };
    let agent = RefundAgent::new(desk.clone(), LayeredStore::new(memory, layer)).clock(clock);
    let turn = open(&agent, "lost").await.approve(&mara()).await.unwrap();
    assert!(matches!(turn, RefundAgentTurn::InDoubt(_)), "{turn}");
    assert_eq!(desk.paid.lock().unwrap().len(), 0);

    let seen = seen();
    for (message, operation) in [
        ("effect not called, because the lease has expired", "decide"),
        ("lease lost", "decide"),
        ("lease taken over", "sweep"),
        ("effect in doubt", "sweep"),
    ] {
        let events = seen.events_of("lost", message);
        assert_eq!((events.len(), events[0].level), (1, Level::WARN), "{message}");
        assert_eq!(seen.inherited(events[0].span, "operation"), Some(operation), "{message}");
    }
}

/// A store that a crate outside of hitl implements from scratch.
struct TheirStore<S>(S);

impl<S: Store> Store for TheirStore<S> {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.append(append)
    }

    fn tail<'a>(
        &'a self,
        thread: &'a hitl::ThreadId,
    ) -> BoxFuture<'a, Result<Option<hitl::store::Tail>, StoreError>> {
        self.0.tail(thread)
    }

    fn entries<'a>(
        &'a self,
        thread: &'a hitl::ThreadId,
        from: hitl::Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<hitl::store::Record>, StoreError>> {
        self.0.entries(thread, from, limit)
    }

    fn reviews<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<hitl::Page<hitl::OpenReview>, StoreError>> {
        self.0.reviews(after, limit)
    }

    fn threads<'a>(
        &'a self,
        standing: Option<hitl::ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<hitl::Page<(hitl::ThreadId, hitl::ThreadStatus)>, StoreError>> {
        self.0.threads(standing, after, limit)
    }

    fn due<'a>(
        &'a self,
        by: Timestamp,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<hitl::Page<hitl::ThreadId>, StoreError>> {
        self.0.due(by, after, limit)
    }

    fn delete<'a>(&'a self, thread: &'a hitl::ThreadId) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.delete(thread)
    }
}

#[tokio::test]
async fn every_call_of_a_store_of_a_third_party_has_a_span() {
    begin();
    let agent = RefundAgent::new(Desk::new([RESPONSE]), TheirStore(MemoryStore::new()));
    let _ = open(&agent, "theirs").await;
    let thread: hitl::ThreadId = "theirs".parse().unwrap();
    let _ = agent.history(&thread, 0, 10).await.unwrap();
    let all = seen();
    let before = all.spans.len();
    let page = agent.inbox(None, 10).await.unwrap();
    assert_eq!(page.items.len(), 1);
    agent.store().threads(None, None, 10).await.unwrap();
    agent.store().due(Timestamp::from_millis(u64::MAX / 4), None, 10).await.unwrap();
    agent.store().delete(&thread).await.unwrap();

    let seen = seen();
    let calls = (0..seen.spans.len()).filter(|span| {
        seen.spans[*span].fields.get("db.system.name").is_some_and(|name| name == "TheirStore")
    });
    let calls: Vec<_> = calls.collect();
    let late: Vec<_> = calls.iter().copied().filter(|span| *span >= before).collect();
    assert_eq!(values(&seen, &late, "db.operation.name"), ["reviews", "threads", "due", "delete"]);
    assert_eq!(values(&seen, &late, "items"), ["1", "1", "1", "-"]);
    let early: Vec<_> = calls.into_iter().filter(|span| *span < before).collect();
    let operations = values(&seen, &early, "db.operation.name");
    assert!(["append", "tail", "entries"].iter().all(|name| operations.contains(name)), "{operations:?}");
}

#[tokio::test]
async fn a_failed_model_call_has_its_code() {
    begin();
    // The mock has no response.
    let agent = RefundAgent::new(Desk::new([]), MemoryStore::new());
    let turn = agent.start("speechless", input("a broken lamp")).await.unwrap();
    assert!(matches!(turn, RefundAgentTurn::Failed(_)), "{turn}");
    let seen = seen();
    let models = seen.spans_of("speechless", "model");
    assert_eq!(values(&seen, &models, "error.type"), ["unscripted"]);
    let failed = seen.events_of("speechless", "node failed")[0];
    assert_eq!((failed.fields["node"].as_str(), failed.level), ("draft", Level::WARN));
}
