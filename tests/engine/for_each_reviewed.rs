//! A `for` whose items wait for a review from the start, so that all of its reviews open at once.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hitl::{Digest, Error, Front, ManualClock, SweepEvent, Timestamp, journal::Event, prelude::*};
use tokio::sync::Semaphore;

use super::counting_store::{CountingStore, Counts};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
struct Payment {
    #[garde(range(max = 10_000))]
    dollars: u32,
}

#[state]
struct Payroll {
    #[input]
    payments: Vec<Payment>,
    payment: Payment,
    rang: bool,
    #[reduce(append)]
    #[output]
    log: Vec<String>,
}

#[interrupt_before(expires = "24h", remind = "4h")]
#[node(Payroll, writes = log, effect)]
async fn transfer(payment: &Approved<Payment>) -> Result<Vec<String>> {
    Ok(vec![format!("{} dollars", payment.dollars)])
}

#[node(Payroll, writes = log)]
async fn skip(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

#[node(Payroll, writes = log)]
async fn close(log: &[String]) -> Result<Vec<String>> {
    Ok(vec![format!("{} in all", log.len())])
}

graph! {
    Payrolls<Payroll> {
        start -> for payment in payments { transfer } -> close -> end;
        transfer { reject -> skip }
        skip -> close;
    }
}

/// Starts a thread whose 1,000 reviews have reminders and deadlines.
async fn a_thousand_waiting() -> (Agent<Payrolls>, CountingStore, ManualClock) {
    let (store, clock) = (CountingStore::default(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let agent = Payrolls::new(store.clone()).clock(clock.clone());
    let payments = (0..1_000).map(|dollars| Payment { dollars }).collect();
    let _ = agent.start("t", PayrollInput { payments }).await.unwrap();
    (agent, store, clock)
}

fn assert_limited_appends(store: &CountingStore) {
    let largest = store.layer().largest.load(Ordering::SeqCst);
    assert!(largest <= 260, "an append has {largest} entries");
}

/// A store takes an append of a limited size.
#[tokio::test]
async fn thousands_of_reviews_open_in_appends_of_a_limited_size() {
    let store = CountingStore::default();
    let agent = Payrolls::new(store.clone());
    let payments = (0..2_000).map(|dollars| Payment { dollars }).collect();
    let PayrollsTurn::Several(open) = agent.start("t", PayrollInput { payments }).await.unwrap() else {
        panic!()
    };
    let digests: BTreeSet<_> = open.iter().map(|PayrollsReview::Transfer(review)| review.digest()).collect();
    assert_eq!((open.len(), digests.len()), (2_000, 2_000));
    assert_limited_appends(&store);

    // A verdict moves one item, in two appends: its beginning with the verdict, and its result.
    let commits = store.layer().commits.load(Ordering::SeqCst);
    let _ =
        agent.decide("t", *digests.first().unwrap(), &Operator::new("mara"), Verdict::Approve).await.unwrap();
    assert_eq!(store.layer().commits.load(Ordering::SeqCst) - commits, 2);
    agent.verify("t").await.unwrap();
}

/// The same for reminders and deadlines, which come for all of them at once.
#[tokio::test]
async fn thousands_of_reviews_are_reminded_and_expire_in_appends_of_a_limited_size() {
    let (agent, store, clock) = a_thousand_waiting().await;

    clock.advance(Duration::from_secs(4 * 3600));
    let reminded = agent.sweep().await.unwrap();
    let places: BTreeSet<_> = reminded
        .iter()
        .map(|event| match event {
            SweepEvent::Waits { review, .. } => review.place,
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!((reminded.len(), places.len()), (1_000, 1_000));
    assert!(agent.sweep().await.unwrap().is_empty());

    clock.advance(Duration::from_secs(20 * 3600));
    let _ = agent.sweep().await.unwrap();
    let PayrollsTurn::Done(log) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!(log.last().unwrap(), "1000 in all");
    assert_limited_appends(&store);
    agent.verify("t").await.unwrap();
}

/// A resumption by hand decides them as a sweep does.
#[tokio::test]
async fn a_resumption_expires_thousands_of_reviews_in_appends_of_a_limited_size() {
    let (agent, store, clock) = a_thousand_waiting().await;
    clock.advance(Duration::from_secs(24 * 3600));
    let PayrollsTurn::Done(log) = agent.resume("t").await.unwrap() else { panic!() };
    assert_eq!(log.last().unwrap(), "1000 in all");
    assert_limited_appends(&store);
    agent.verify("t").await.unwrap();
}

/// A gate that a node waits for.
struct Bell(Arc<Semaphore>);

#[node(Payroll, writes = rang)]
async fn ring(bell: Deps<Bell>) -> Result<bool> {
    bell.0.acquire().await?.forget();
    Ok(true)
}

#[node(Payroll)]
async fn open() -> Result<()> {
    Ok(())
}

#[node(Payroll, writes = log)]
async fn finish(rang: bool) -> Result<Vec<String>> {
    Ok(vec![rang.to_string()])
}

graph! {
    Rung<Payroll, Bell> {
        start -> (ring, open -> for payment in payments { transfer } -> close) -> finish -> end;
        transfer { reject -> skip }
        skip -> close;
    }
}

/// A node in flight, and its timeout, go on while thousands of reviews are appended.
#[tokio::test]
async fn a_node_in_flight_ends_between_the_appends_of_many_reviews() {
    let gate = Arc::new(Semaphore::new(0));
    let store = CountingStore::new(
        MemoryStore::new(),
        Counts { opens: Some((4, gate.clone())), ..Counts::default() },
    );
    let agent = Rung::new(Bell(gate), store);
    let payments = (0..2_000).map(|dollars| Payment { dollars }).collect();
    let _ = agent.start("t", PayrollInput { payments }).await.unwrap();
    let entries = agent.history("t", 0, 10_000).await.unwrap();
    let rang = entries.iter().find(|entry| matches!(&entry.event, Event::Ran { node, .. } if node == "ring"));
    let opened = entries.iter().rfind(|entry| matches!(entry.event, Event::Paused { .. }));
    let places = (rang.unwrap().place, opened.unwrap().place);
    assert!(places.0 + 1_000 < places.1, "{places:?}");
}

/// Waits for the gate if its item is the first one.
#[interrupt_before]
#[node(Payroll, writes = log, effect)]
async fn hold(payment: &Approved<Payment>, gate: Deps<Bell>) -> Result<Vec<String>> {
    if payment.dollars == 0 {
        gate.0.acquire().await?.forget();
    }
    Ok(vec![format!("held {}", payment.dollars)])
}

#[interrupt_before(unsigned(rejection))]
#[node(Payroll, writes = log, effect)]
async fn retry(payment: &Approved<Payment>, rejection: Option<&Rejection>) -> Result<Vec<String>> {
    let why = rejection.map_or("?", |rejection| &rejection.note);
    Ok(vec![format!("retried {}: {why}", payment.dollars)])
}

graph! {
    Held<Payroll, Bell> {
        start -> for payment in payments, at_most = 1 { hold } -> close -> end;
        hold { reject -> retry }
        retry -> close;
        retry { reject -> skip }
        skip -> close;
    }
}

/// A review waits for no permit, also if the verdict that leads to it comes from another process while the items before
/// it wait for one. The time of the runner's renewals is virtual.
#[tokio::test(start_paused = true)]
async fn a_review_behind_waiting_items_opens_after_a_conflict() {
    let (store, gate) = (MemoryStore::new(), Arc::new(Semaphore::new(0)));
    let runner = Held::new(Bell(gate.clone()), store.clone());
    let other = Held::new(Bell(gate.clone()), store);
    let payments = (0..3).map(|dollars| Payment { dollars }).collect();
    let HeldTurn::Several(open) = runner.start("t", PayrollInput { payments }).await.unwrap() else {
        panic!()
    };
    let digests: Vec<_> = open
        .iter()
        .map(|review| match review {
            HeldReview::Hold(review) => review.digest(),
            HeldReview::Retry(review) => panic!("{review}"),
        })
        .collect();
    drop(open);

    let mut events = runner.listen("t").unwrap();
    let mara = Operator::new("mara");
    let first = runner.clone();
    let (digest, by) = (digests[0], mara.clone());
    let running = tokio::spawn(async move { first.decide("t", digest, &by, Verdict::Approve).await });
    let named = async |events: &mut hitl::Subscription, name: &str, node: &str| loop {
        if let hitl::ThreadEvent::Entry(entry) = events.next().await
            && entry.event.name() == name
            && entry.event.node() == Some(node)
        {
            return;
        }
    };
    named(&mut events, "began", "hold").await;
    // The runner learns of both by a conflict.
    let _ = other.decide("t", digests[1], &mara, Verdict::Approve).await.unwrap();
    let reject = Verdict::Reject { reason: Reason::BadPlan, note: "again".to_owned() };
    let _ = other.decide("t", digests[2], &mara, reject).await.unwrap();
    tokio::time::timeout(Duration::from_secs(120), named(&mut events, "paused", "retry")).await.unwrap();

    gate.add_permits(1);
    let HeldTurn::Retry(review) = running.await.unwrap().unwrap() else { panic!() };
    let HeldTurn::Done(log) = review.approve(&mara).await.unwrap() else { panic!() };
    assert_eq!(log, ["held 0", "held 1", "retried 2: again", "3 in all"]);
    runner.verify("t").await.unwrap();
}

/// Returns a thread with this many open reviews, in a program and in a front.
async fn waiting(count: u32) -> (Agent<Payrolls>, Front<Payrolls>, Vec<Digest>) {
    let store = CountingStore::default();
    let agent = Payrolls::new(store.clone());
    let payments = (0..count).map(|dollars| Payment { dollars }).collect();
    let _ = agent.start("t", PayrollInput { payments }).await.unwrap();
    let digests = agent.view("t").await.unwrap().reviews.iter().map(|review| review.digest).collect();
    (agent, Front::new(store), digests)
}

/// Several verdicts in one call: each in an entry of its own, all in one append.
#[tokio::test]
async fn several_reviews_are_decided_at_once() {
    let (agent, front, digests) = waiting(257).await;
    let mara = Operator::new("mara");
    let note = |n: usize| Verdict::Reject { reason: Reason::Other, note: format!("not {n}") };
    let edit = Verdict::Edit { patch: serde_json::json!({ "dollars": 9_999 }) };
    let verdict = |n: usize| match n {
        0 => edit.clone(),
        1..3 => note(n),
        _ => Verdict::Approve,
    };
    let all: Vec<(Digest, Verdict)> =
        digests.iter().enumerate().map(|(n, digest)| (*digest, verdict(n))).collect();
    let many = front.record_all("t", &mara, all.clone()).await.unwrap_err();
    assert!(matches!(&many, Error::InvalidInput { problem } if problem.contains("more than 256")), "{many}");
    let before = front.history("t", 0, 1000).await.unwrap().len();
    let _ = front.record_all("t", &mara, all[..256].to_vec()).await.unwrap();
    let history = front.history("t", before as u64, 1000).await.unwrap();
    assert_eq!(history.len(), 256);
    for (entry, (digest, verdict)) in history.iter().zip(&all) {
        let Event::Decided { digest: decided, verdict: found, operator, .. } = &entry.event else {
            panic!("{entry:?}")
        };
        assert_eq!((decided, found.name(), operator.as_str()), (digest, verdict.name(), "mara"));
    }
    let _ = agent.continue_thread("t").await.unwrap();
    let PayrollsTurn::Done(log) = agent.decide_all("t", &mara, all[256..].to_vec()).await.unwrap() else {
        panic!()
    };
    let paid = log.iter().filter(|line| line.ends_with("dollars")).count();
    assert_eq!((paid, log.contains(&"9999 dollars".to_owned())), (255, true));
    agent.audit("t", None).await.unwrap().sound().unwrap();
}

/// If one verdict is refused, none is consumed.
#[tokio::test]
async fn one_refused_verdict_refuses_all() {
    let (agent, front, digests) = waiting(3).await;
    let mara = Operator::new("mara");
    let [first, second, third] = digests[..] else { panic!() };
    let _ = front.record("t", third, &mara, Verdict::Approve).await.unwrap();
    let before = front.history("t", 0, 100).await.unwrap().len();
    let too_much = Verdict::Edit { patch: serde_json::json!({ "dollars": 20_000 }) };
    let question = Verdict::Ask { question: "why?".into() };
    let approve = || Verdict::Approve;
    for (all, code) in [
        (vec![(first, approve()), (third, approve())], "already_decided"),
        (vec![(first, approve()), (Digest::of(b"?"), approve())], "stale"),
        (vec![(first, approve()), (second, too_much)], "invalid"),
        (vec![(first, approve()), (second, question)], "bad_verdict"),
        (vec![(first, approve()), (first, approve())], "bad_verdict"),
        (vec![], "invalid_input"),
    ] {
        for error in [
            front.record_all("t", &mara, all.clone()).await.unwrap_err(),
            agent.decide_all("t", &mara, all).await.unwrap_err(),
        ] {
            assert_eq!(error.code(), code, "{error}");
        }
    }
    assert_eq!(front.history("t", 0, 100).await.unwrap().len(), before);
    let open = front.view("t").await.unwrap().reviews;
    assert_eq!(open.iter().map(|review| review.digest).collect::<Vec<_>>(), [first, second]);
}

/// Two operators decide overlapping sets at once: one of them gets all of theirs, the other one none.
#[tokio::test]
async fn overlapping_sets_have_one_winner() {
    for _ in 0..20 {
        let (agent, front, digests) = waiting(3).await;
        let [first, second, third] = digests[..] else { panic!() };
        let (mara, noor) = (Operator::new("mara"), Operator::new("noor"));
        let approve = |digest| (digest, Verdict::Approve);
        let (hers, his) = tokio::join!(
            front.record_all("t", &mara, [approve(first), approve(second)]),
            agent.record_all("t", &noor, [approve(second), approve(third)]),
        );
        let (winner, lost) = match (hers, his) {
            (Ok(_), Err(error)) => ("mara", error),
            (Err(error), Ok(_)) => ("noor", error),
            other => panic!("{other:?}"),
        };
        assert!(matches!(&lost, Error::AlreadyDecided { by, .. } if by == winner), "{lost}");
        let decided = front.history("t", 0, 100).await.unwrap();
        let decided = decided.iter().filter(|entry| entry.event.name() == "decided");
        assert_eq!(decided.count(), 2);
    }
}
