//! Runners that are blocked for longer than their lease.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hitl::{
    ManualClock, Store, StoreError, Timestamp,
    prelude::*,
    store::{Append, BoxFuture, LayeredStore, Record, StoreLayer},
};
use tokio::sync::Notify;

use crate::kit::{operators::clerk, payment::Draft};

/// Longer than the default lease.
const LONG: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct Bank {
    clock: ManualClock,
    /// `true` if the next run of `look` blocks for longer than the lease.
    blocks: Arc<AtomicBool>,
    /// `true` if the next payment waits for `goes_on`.
    halts: Arc<AtomicBool>,
    reached: Arc<Notify>,
    goes_on: Arc<Notify>,
    paid: Arc<Mutex<Vec<String>>>,
}

impl Bank {
    fn new(clock: &ManualClock) -> Self {
        let (blocks, halts, reached, goes_on, paid) = Default::default();
        Self { clock: clock.clone(), blocks, halts, reached, goes_on, paid }
    }

    /// Returns the idempotency keys of the payments.
    fn paid(&self) -> Vec<String> {
        self.paid.lock().unwrap().clone()
    }
}

#[state]
pub struct Job {
    #[input]
    pub cents: u32,
    pub draft: Draft,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

#[node(Job, writes = draft)]
async fn propose(cents: u32) -> Result<Draft> {
    Ok(Draft { cents })
}

#[interrupt_before(role = "clerk")]
#[node(Job, writes = log, effect)]
async fn pay(draft: &Approved<Draft>, bank: Deps<Bank>, cx: &Cx) -> Result<Vec<String>> {
    if bank.halts.swap(false, Ordering::SeqCst) {
        bank.reached.notify_one();
        bank.goes_on.notified().await;
    }
    bank.paid.lock().unwrap().push(cx.idempotency_key().to_owned());
    Ok(vec![format!("paid {}", draft.cents)])
}

/// Advances the clock, as if a synchronous call had blocked the OS thread for longer than the lease.
#[node(Job, writes = log)]
async fn look(bank: Deps<Bank>) -> Result<Vec<String>> {
    if bank.blocks.swap(false, Ordering::SeqCst) {
        bank.clock.advance(LONG);
    }
    Ok(vec!["looked".into()])
}

#[node(Job, writes = log, effect, risk = low)]
async fn tell(bank: Deps<Bank>, cx: &Cx) -> Result<Vec<String>> {
    bank.paid.lock().unwrap().push(cx.idempotency_key().to_owned());
    Ok(vec!["told".into()])
}

#[node(Job, writes = log)]
async fn decline(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

graph! {
    pub Payer<Job, Bank> {
        start -> propose -> pay -> end;
        pay { reject -> decline }
        decline -> end;
    }
}

graph! {
    pub Teller<Job, Bank> {
        start -> (look, tell) -> end;
    }
}

/// Takes longer than the lease for the first append of a `began` event.
#[derive(Clone)]
struct SlowBegin {
    clock: ManualClock,
    is_slow: Arc<AtomicBool>,
}

impl SlowBegin {
    fn new(clock: &ManualClock) -> Self {
        Self { clock: clock.clone(), is_slow: Arc::new(AtomicBool::new(true)) }
    }
}

impl StoreLayer for SlowBegin {
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
        let begins = |record: &Record| record.body.windows(8).any(|part| part == br#"{"began""#);
        let begins = append.records.iter().any(begins);
        Box::pin(async move {
            store.append(append).await?;
            if begins && self.is_slow.swap(false, Ordering::SeqCst) {
                self.clock.advance(LONG);
            }
            Ok(())
        })
    }
}

/// By the time that the store responds, an operator may have settled the effect so that it runs again.
#[tokio::test]
async fn a_slow_append_past_the_lease_starts_no_effect() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let (bank, store) = (Bank::new(&clock), LayeredStore::new(MemoryStore::new(), SlowBegin::new(&clock)));
    let agent = Payer::new(bank.clone(), store).clock(clock);
    let PayerTurn::Pay(review) = agent.start("t", JobInput { cents: 7 }).await.unwrap() else { panic!() };
    let turn = review.approve(&clerk()).await.unwrap();
    assert!(bank.paid().is_empty(), "paid after the lease");
    let PayerTurn::Failed(failed) = turn else { panic!("{turn}") };
    assert!(failed.error().contains("lease expired before"), "{}", failed.error());
    assert!(matches!(failed.resume().await.unwrap(), PayerTurn::Done(_)));
    assert_eq!(bank.paid().len(), 1);
    agent.verify("t").await.unwrap();
}

/// The lease is checked immediately before the call of the effect, not only when its beginning is appended, because
/// another node may block the OS thread in between.
#[tokio::test]
async fn a_blocked_os_thread_past_the_lease_starts_no_effect() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let bank = Bank::new(&clock);
    bank.blocks.store(true, Ordering::SeqCst);
    let agent = Teller::new(bank.clone(), MemoryStore::new()).clock(clock);
    let turn = agent.start("t", JobInput { cents: 7 }).await.unwrap();
    assert!(bank.paid().is_empty(), "acted after the lease");
    assert!(matches!(turn, TellerTurn::Failed(_)), "{turn}");
    assert!(matches!(agent.resume("t").await.unwrap(), TellerTurn::Done(_)));
    assert_eq!(bank.paid().len(), 1);
}

/// An effect that has begun cannot be canceled. The error states what is known, and both runs have the same idempotency
/// key.
#[tokio::test]
async fn a_blocked_runner_is_not_reported_as_dead() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let (bank, store) = (Bank::new(&clock), MemoryStore::new());
    bank.halts.store(true, Ordering::SeqCst);
    let first = Payer::new(bank.clone(), store.clone()).clock(clock.clone());
    let PayerTurn::Pay(review) = first.start("t", JobInput { cents: 7 }).await.unwrap() else { panic!() };
    let halted = tokio::spawn(async move { review.approve(&clerk()).await });
    bank.reached.notified().await;
    clock.advance(LONG);
    let second = Payer::new(bank.clone(), store).clock(clock);
    let PayerTurn::InDoubt(_) = second.resume("t").await.unwrap() else { panic!() };
    let said = second.view("t").await.unwrap().in_doubt.unwrap();
    assert_eq!(
        said.error,
        "its runner has not renewed its lease and may still be running, so the outcome of the effect is unknown"
    );
    assert!(said.run_again.contains("known to be dead") && said.run_again.contains(&said.key), "{said:?}");
    let PayerTurn::InDoubt(doubt) = second.resume("t").await.unwrap() else { panic!() };
    assert!(matches!(doubt.run_again(&clerk()).await.unwrap(), PayerTurn::Done(_)));
    bank.goes_on.notify_one();
    // The result of the first runner is not in the journal, because another runner has the thread.
    let _ = halted.await.unwrap();
    assert_eq!(bank.paid(), [said.key.clone(), said.key]);
    let history = second.history("t", 0, 100).await.unwrap();
    assert_eq!(
        history.iter().filter(|entry| entry.event.name() == "ran").count(),
        2,
        "expected one run of `propose` and one of `pay`"
    );
}
