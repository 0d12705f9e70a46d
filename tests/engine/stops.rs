//! Operators stop a thread, a graph or a whole store: no effect begins while a stop is in force.

use std::{sync::Arc, time::Duration};

use hitl::{
    Error, Front, ManualClock, Place, Scope, Store, ThreadId, ThreadStatus, Timestamp,
    journal::{Event, JournalKey, JournalKeys, Settlement, StopKind},
    prelude::*,
    store::{Append, BoxFuture, LayeredStore, Record, StoreError, StoreLayer},
};
use tokio::sync::{Notify, Semaphore};

use crate::kit::{
    operators::clerk,
    payment::{CaseInput, Payer, PayerTurn},
    refund::{Refunds, RefundsTurn, done, mara, message, open, review},
    world::{Behavior, World},
};

/// Returns a runner and a front on one store, as two processes have them: they share nothing else.
fn processes(world: &World) -> (Agent<Refunds>, Front<Refunds>, MemoryStore) {
    let store = MemoryStore::new();
    (Refunds::new(world.clone(), store.clone()), Front::new(store.clone()), store)
}

fn thread() -> Scope {
    Scope::thread("t").unwrap()
}

/// A runner begins nothing while the thread is paused, and pays once after that.
#[tokio::test]
async fn a_paused_thread_takes_verdicts_and_runs_none() {
    let world = World::default();
    let (runner, front, _) = processes(&world);
    let digest = open(&runner, "t").await.digest();
    front.pause(thread(), &mara(), "the customer called").await.unwrap();
    let turn = runner.decide("t", digest, &mara(), Verdict::Approve).await.unwrap();
    let said = "`t` waits at `execute`: the thread was paused by mara: the customer called";
    assert_eq!(turn.to_string(), said);
    let RefundsTurn::Running(running) = turn else { panic!("{turn}") };
    assert!(!running.is_stalled() && running.stop().is_some_and(|stop| stop.kind == StopKind::Pause));

    let places = async || front.history("t", 0, 100).await.unwrap().len();
    let before = places().await;
    for turn in [runner.resume("t").await, runner.continue_thread("t").await, running.resume().await] {
        assert_eq!(turn.unwrap().to_string(), said);
    }
    runner.sweep().await.unwrap();
    assert_eq!((world.calls(), places().await), (0, before), "something was written or called");
    let view = front.view("t").await.unwrap();
    assert_eq!(view.standing, ThreadStatus::Waiting);
    assert_eq!(view.stop.unwrap().reason, "the customer called");

    front.unpause(thread(), &clerk().role("approver"), "it was a mistake").await.unwrap();
    runner.sweep().await.unwrap();
    assert_eq!(done(front.turn("t").await.unwrap()), "did A-9133 149 by mara");
    assert_eq!(world.calls(), 1);
    let names: Vec<_> = front.history("t", 0, 100).await.unwrap().iter().map(|e| e.event.name()).collect();
    assert_eq!(names.iter().filter(|name| **name == "began").count(), 1);
    front.audit("t", None).await.unwrap().sound().unwrap();
}

/// The pause of an agent's own front wakes the agent when it is lifted.
#[tokio::test]
async fn a_lifted_pause_wakes_the_runner() {
    let world = World::default();
    let runner = Refunds::new(world.clone(), MemoryStore::new());
    let front = runner.front();
    let digest = open(&runner, "t").await.digest();
    front.pause(thread(), &mara(), "").await.unwrap();
    let _ = front.record("t", digest, &mara(), Verdict::Approve).await.unwrap();
    assert_eq!(world.calls(), 0);
    front.unpause(thread(), &mara(), "").await.unwrap();
    world.reached.notified().await;
}

/// A store that answers an append with the begin of an effect only when it is let go, as for a runner that is suspended
/// just before the call of the effect.
#[derive(Clone)]
pub struct HeldAppends {
    pub began: Arc<Notify>,
    pub go: Arc<Semaphore>,
}

impl StoreLayer for HeldAppends {
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
        let begins = append.records.iter().any(|record| {
            let body: serde_json::Value = serde_json::from_slice(&record.body).unwrap();
            body["is"].get("began").is_some()
        });
        Box::pin(async move {
            store.append(append).await?;
            if begins {
                self.began.notify_one();
                self.go.acquire().await.unwrap().forget();
            }
            Ok(())
        })
    }
}

impl Default for HeldAppends {
    fn default() -> Self {
        Self { began: Arc::default(), go: Arc::new(Semaphore::new(0)) }
    }
}

/// The entry that the effect begins is stored, and the runner hangs before it calls the effect. A stop that comes then
/// still keeps the call from being made; the effect begins again once the stop is lifted, and is made once.
#[tokio::test]
async fn a_stop_reaches_an_effect_that_has_begun_and_was_not_called() {
    for scope in [thread(), Scope::Graph, Scope::Store] {
        for kind in [StopKind::Pause, StopKind::Cancel] {
            let mara = || mara().role("operations");
            let (world, store, held) = (World::default(), MemoryStore::new(), HeldAppends::default());
            let runner = Refunds::new(world.clone(), LayeredStore::new(store.clone(), held.clone()));
            let front = Front::<Refunds>::new(store.clone()).stop_role("operations");
            let review = open(&runner, "t").await;
            let run = tokio::spawn(async move { review.approve(&mara()).await });
            held.began.notified().await;
            match kind {
                StopKind::Pause => front.pause(scope.clone(), &mara(), "wait").await.unwrap(),
                _ => drop(front.cancel(scope.clone(), &mara(), "wait").await.unwrap()),
            }
            held.go.add_permits(1);
            let turn = run.await.unwrap().unwrap();
            assert_eq!(world.calls(), 0, "{scope:?} {kind}: {turn}");
            if kind == StopKind::Cancel {
                let RefundsTurn::Failed(failed) = front.turn("t").await.unwrap() else { panic!("{turn}") };
                assert!(
                    failed.is_stopped() && failed.error().contains("cancelled by mara: wait"),
                    "{failed}"
                );
                assert_eq!(front.view("t").await.unwrap().standing, ThreadStatus::Ended);
                continue;
            }
            assert!(matches!(turn, RefundsTurn::Running(_)), "{turn}");
            front.unpause(scope.clone(), &mara(), "").await.unwrap();
            held.go.add_permits(100);
            assert_eq!(done(runner.resume("t").await.unwrap()), "did A-9133 149 by mara", "{scope:?}");
            assert_eq!((world.calls(), world.keys().len()), (1, 1));
            front.audit("t", None).await.unwrap().sound().unwrap();
        }
    }
}

/// An effect that runs when the stop comes is completed, and nothing begins after it.
#[tokio::test]
async fn an_effect_that_runs_is_not_interrupted() {
    let world = World::new([Behavior::Hangs]);
    let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let runner = Refunds::new(world.clone(), store.clone()).clock(clock.clone());
    let front = Front::<Refunds>::new(store.clone()).clock(clock.clone());
    let review = open(&runner, "t").await;
    drop(tokio::spawn(async move { review.approve(&mara()).await }));
    world.reached.notified().await;
    let report = front.cancel(thread(), &mara(), "fraud").await.unwrap();
    assert_eq!(report.cancelled, 1);
    assert!(matches!(front.turn("t").await.unwrap(), RefundsTurn::Running(_)), "it still runs");

    // Its runner dies. What became of it still has to be settled, and it is not run again.
    clock.advance(Duration::from_secs(60));
    let successor = Refunds::new(world.clone(), store).clock(clock);
    let RefundsTurn::InDoubt(doubt) = successor.resume("t").await.unwrap() else { panic!("no doubt") };
    let again = front.settle("t", doubt.digest(), &mara(), Settlement::RunAgain).await.unwrap_err();
    assert!(matches!(again, Error::Cancelled { ref by, .. } if by == "mara"), "{again}");
    let wrote = serde_json::from_str(r#"{"outcome": "paid"}"#).unwrap();
    let turn = front.settle("t", doubt.digest(), &mara(), Settlement::Happened { wrote }).await.unwrap();
    assert!(matches!(turn, RefundsTurn::Failed(failed) if failed.is_stopped()));
    assert_eq!((world.calls(), front.view("t").await.unwrap().standing), (1, ThreadStatus::Ended));
    front.audit("t", None).await.unwrap().sound().unwrap();
}

#[tokio::test]
async fn who_decides_a_cancelled_review_is_told() {
    let world = World::default();
    let (runner, front, _) = processes(&world);
    let review = open(&runner, "t").await;
    let digest = review.digest();
    front.cancel(thread(), &mara(), "the customer called").await.unwrap();
    assert!(front.inbox(None, 10).await.unwrap().items.is_empty());
    let said = "thread `t` was cancelled by mara: the customer called; nothing more begins in it";
    assert_eq!(review.approve(&mara()).await.unwrap_err().to_string(), said);
    for verdict in [Verdict::Approve, Verdict::Reject { reason: Reason::BadPlan, note: String::new() }] {
        let error = front.record("t", digest, &clerk(), verdict).await.unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), ("cancelled", said));
    }
    for error in [
        front.cancel(thread(), &mara(), "").await.map(drop),
        front.pause(thread(), &mara(), "").await,
        front.unpause(thread(), &mara(), "").await,
    ] {
        assert_eq!(error.unwrap_err().code(), "cancelled");
    }
    assert!(matches!(runner.resume("t").await.unwrap(), RefundsTurn::Failed(failed) if failed.is_stopped()));
    runner.sweep().await.unwrap();
    assert_eq!(world.calls(), 0);
    front.audit("t", None).await.unwrap().sound().unwrap();
}

#[tokio::test]
async fn a_paused_graph_starts_nothing_and_goes_on_when_the_pause_is_lifted() {
    let world = World::default();
    let (runner, front, store) = processes(&world);
    let digest = open(&runner, "t").await.digest();
    front.pause(Scope::Graph, &mara(), "wrong prompt").await.unwrap();
    let error = runner.start("u", message()).await.unwrap_err();
    assert!(matches!(&error, Error::Stopped { by, .. } if by == "mara"), "{error}");
    assert_eq!(error.kind(), hitl::ErrorKind::Busy);
    // Another graph in the store is not concerned.
    let payer = Payer::new(world.clone(), store.clone());
    assert!(matches!(payer.start("p", CaseInput { cents: 5 }).await.unwrap(), PayerTurn::PaySmall(_)));

    // The verdict of a process that has not read the stop yet.
    let stranger = Refunds::new(world.clone(), store.clone());
    let turn = stranger.decide("t", digest, &mara(), Verdict::Approve).await.unwrap();
    assert!(matches!(&turn, RefundsTurn::Running(waits) if waits.stop().is_some()), "{turn}");
    let before = front.history("t", 0, 100).await.unwrap().len();
    for _ in 0..3 {
        runner.sweep().await.unwrap();
        drop(runner.resume("t").await.unwrap());
    }
    assert_eq!((world.calls(), front.history("t", 0, 100).await.unwrap().len()), (0, before));

    front.unpause(Scope::Graph, &mara(), "fixed").await.unwrap();
    assert!(front.stops().await.unwrap().is_empty());
    runner.sweep().await.unwrap();
    assert_eq!(done(front.turn("t").await.unwrap()), "did A-9133 149 by mara");
    let _ = review(runner.start("u", message()).await.unwrap());
}

/// A front of one graph stops the whole store, and cancels the threads of every graph in it.
#[tokio::test]
async fn the_whole_store_is_cancelled() {
    let world = World::default();
    let (runner, front, store) = processes(&world);
    let (front, mara) = (front.stop_role("operations"), || mara().role("operations"));
    let payer = Payer::new(world.clone(), store.clone());
    let mut reviews = Vec::new();
    for name in ["a", "b", "c"] {
        reviews.push(open(&runner, name).await);
    }
    let PayerTurn::PaySmall(payment) = payer.start("p", CaseInput { cents: 5 }).await.unwrap() else {
        panic!("no review")
    };
    let report = front.cancel(Scope::Store, &mara(), "stolen keys").await.unwrap();
    assert_eq!((report.cancelled, report.failed.len()), (4, 0));
    for review in reviews {
        assert_eq!(review.approve(&mara()).await.unwrap_err().code(), "cancelled");
    }
    assert_eq!(payment.approve(&clerk()).await.unwrap_err().code(), "cancelled");
    assert_eq!(payer.start("q", CaseInput { cents: 5 }).await.unwrap_err().code(), "stopped");
    assert!(store.due(Timestamp::from_millis(u64::MAX >> 1), None, 10).await.unwrap().items.is_empty());
    // Who did it is in each journal, and leads to the journal of stops.
    let last = front.history("a", 0, 100).await.unwrap().pop().unwrap();
    let Event::Stopped { operator, reason, follows: Some(place), .. } = last.event else {
        panic!("{last:?}")
    };
    assert_eq!((operator.as_str(), reason.as_str()), ("mara", "stolen keys"));
    let stops = ThreadId::existing("hitl:stops").unwrap();
    let stop = front.history(&stops, place, 1).await.unwrap().pop().unwrap();
    assert!(matches!(stop.event, Event::Stopped { kind: StopKind::Cancel, .. }));

    front.unpause(Scope::Store, &mara(), "new keys").await.unwrap();
    let _ = open(&runner, "d").await;
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn the_journal_of_stops_is_no_thread() {
    let (runner, front, _) = processes(&World::default());
    front.pause(Scope::Store, &mara(), "").await.unwrap();
    assert!(runner.store().threads(None, None, 10).await.unwrap().items.is_empty());
    assert_eq!(runner.turn("hitl:stops").await.unwrap_err().code(), "invalid_thread_id");
    let stops = ThreadId::existing("hitl:stops").unwrap();
    assert!(runner.turn(&stops).await.is_err());
    let error = runner.start(ThreadId::existing("hitl:else").unwrap(), message()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the thread id begins with `hitl:`, which is reserved; use 1 to 200 bytes of plain text"
    );
}

#[tokio::test]
async fn only_who_may_decide_may_stop() {
    let world = World::default();
    let (runner, front, _) = processes(&world);
    let _ = open(&runner, "t").await;
    for scope in [thread(), Scope::Graph, Scope::Store] {
        for error in [
            front.pause(scope.clone(), &clerk(), "").await,
            front.unpause(scope.clone(), &clerk(), "").await,
            front.cancel(scope.clone(), &clerk(), "").await.map(drop),
        ] {
            let error = error.unwrap_err();
            if let Error::NotSetUp { problem } = &error {
                assert!(scope == Scope::Store && problem.contains("`stop_role`"), "{problem}");
                continue;
            }
            assert!(matches!(error, Error::MayNotStop { .. }), "{error}");
            let said = "operator carl may not stop threads: that requires the role `approver`";
            assert_eq!(error.to_string(), said);
        }
        assert_eq!(front.unpause(scope, &mara(), "").await.unwrap_err().code(), "not_paused");
    }
    assert!(front.stops().await.unwrap().is_empty());
    let ended = "e";
    let _ = open(&runner, ended).await.approve(&mara()).await.unwrap();
    let error = front.pause(Scope::thread(ended).unwrap(), &mara(), "").await.unwrap_err();
    assert_eq!(error.to_string(), "thread `e` has ended, so there is nothing to stop");
    assert_eq!(
        front.pause(Scope::thread("no").unwrap(), &mara(), "").await.unwrap_err().code(),
        "unknown_thread"
    );
}

/// Appends an entry to a journal, as an attacker who can write to the store, and knows how entries are chained.
async fn forge(store: &MemoryStore, journal: &ThreadId, body: &[u8]) {
    let last = store.entries(journal, Place::START, 9).await.unwrap().pop().unwrap();
    let hash = hitl::Digest::of(&[last.hash.as_bytes(), body].concat());
    let record = Record::new(last.place + 1, hash, body.to_vec());
    let append = Append::new(journal.clone(), vec![record], ThreadStatus::Waiting);
    store.append(append.with_after(Some(last.hash))).await.unwrap();
}

/// Without the keys no stop can be lifted: then nothing is called.
#[tokio::test]
async fn a_forged_lift_lifts_nothing() {
    let (world, store) = (World::default(), MemoryStore::new());
    let keys = || JournalKeys::new(JournalKey::new([7; 32]).unwrap());
    let runner = Refunds::new(world.clone(), store.clone()).journal_keys(keys());
    let front = Front::<Refunds>::new(store.clone()).journal_keys(keys());
    let digest = open(&runner, "t").await.digest();
    front.pause(Scope::Graph, &mara(), "").await.unwrap();
    let forger = Front::<Refunds>::new(store.clone());
    let error = forger.unpause(Scope::Graph, &mara(), "").await.unwrap_err();
    assert_eq!(error.code(), "not_set_up");
    // So they write the entry by themselves.
    let stops = ThreadId::existing("hitl:stops").unwrap();
    forge(&store, &stops, br#"{"at":1,"is":{"unpaused":{"scope":{"graph":"Refunds"},"operator":"mara"}}}"#)
        .await;
    let late = Refunds::new(world.clone(), store.clone()).journal_keys(keys());
    assert_eq!(
        late.decide("t", digest, &mara(), Verdict::Approve).await.unwrap_err().code(),
        "unauthenticated_entry"
    );
    assert_eq!(world.calls(), 0);
}

/// Ten operators stop and lift at once: each order is in a journal, and the last one holds.
#[tokio::test]
async fn orders_that_race_are_all_recorded() {
    let (runner, front, _) = processes(&World::default());
    let _ = open(&runner, "t").await;
    for scope in [thread(), Scope::Graph] {
        front.pause(scope.clone(), &mara(), "0").await.unwrap();
        let orders = (1..10).map(|n| {
            let (front, scope) = (front.clone(), scope.clone());
            async move { front.pause(scope, &mara(), n.to_string()).await }
        });
        for done in futures_util::future::join_all(orders).await {
            done.unwrap();
        }
        front.unpause(scope, &mara(), "").await.unwrap();
    }
    for (name, orders) in [("t", 11), ("hitl:stops", 11)] {
        let name = ThreadId::existing(name).unwrap();
        let history = front.history(&name, 0, 100).await.unwrap();
        let all = history.iter().filter(|entry| matches!(entry.event.name(), "stopped" | "unpaused"));
        assert_eq!(all.count(), orders);
    }
    assert!(front.stops().await.unwrap().is_empty() && front.view("t").await.unwrap().stop.is_none());
}

/// Stops from before there were journal keys hold, and are authenticated once a person vouches for them.
#[tokio::test]
async fn stops_without_keys_are_adopted() {
    let (world, store) = (World::default(), MemoryStore::new());
    let before = Front::<Refunds>::new(store.clone());
    before.pause(Scope::Graph, &mara(), "moving").await.unwrap();
    let stops = ThreadId::existing("hitl:stops").unwrap();
    let kept = before.audit(&stops, None).await.unwrap().sound().unwrap();

    let runner = Refunds::new(world, store).journal_keys(JournalKeys::new(JournalKey::new([7; 32]).unwrap()));
    let front = runner.front();
    assert_eq!(runner.start("t", message()).await.unwrap_err().code(), "unauthenticated_entry");
    let head = front.adopt(&stops, &mara(), Some(&kept)).await.unwrap();
    assert_eq!(head.place, kept.place + 1);
    assert_eq!(runner.start("t", message()).await.unwrap_err().code(), "stopped");
    front.unpause(Scope::Graph, &mara(), "").await.unwrap();
    let _ = open(&runner, "t").await;
    front.audit(&stops, Some(&kept)).await.unwrap().sound().unwrap();
}

/// The audit of the journal of stops finds what was changed in it.
#[tokio::test]
async fn a_changed_journal_of_stops_is_found_and_stops_everything() {
    let stops = ThreadId::existing("hitl:stops").unwrap();
    for body in [
        br#"{"at":1,"is":{"unpaused":{"operator":"mara"}}}"#.as_slice(),
        br#"{"at":1,"is":{"ended":{}}}"#,
        br#"{"at":1,"is":{"stopped":{"kind":"pause","operator":"mara"}}}"#,
        b"{}",
    ] {
        let (runner, front, store) = processes(&World::default());
        front.pause(Scope::Store, &mara(), "").await.unwrap();
        forge(&store, &stops, body).await;
        let other = Refunds::new(World::default(), store.clone());
        assert!(matches!(other.start("t", message()).await, Err(Error::Damaged { .. })));
        assert!(matches!(runner.start("t", message()).await, Err(Error::Damaged { .. })));
        assert_eq!(front.audit(&stops, None).await.unwrap().findings.len(), 1);
    }
}
