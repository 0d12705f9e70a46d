//! Fronts: verdicts and settlements that are recorded by a program that cannot run nodes.

use std::{
    future::Ready,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hitl::{Error, Front, ManualClock, ThreadEvent, Timestamp, journal::Settlement, prelude::*};
use tokio::{sync::Notify, time::Instant};

use crate::kit::{
    operators::clerk,
    payment::Draft,
    refund::{Refunds, RefundsTurn, done, mara, open, review},
    world::{Behavior, World},
};

/// Returns a runner and a front on one store, as two processes have them: they share nothing else.
fn processes(world: &World) -> (Agent<Refunds>, Front<Refunds>) {
    let store = MemoryStore::new();
    (Refunds::new(world.clone(), store.clone()), Front::new(store))
}

#[tokio::test]
async fn a_verdict_is_recorded_and_a_sweep_runs_it_once() {
    let world = World::default();
    let (runner, front) = processes(&world);
    for (thread, verdict, calls, outcome) in [
        ("approve", Verdict::Approve, 1, "did A-9133 149 by mara"),
        ("edit", Verdict::Edit { patch: serde_json::json!({ "dollars": 7 }) }, 2, "did A-9133 7 by mara"),
        ("reject", Verdict::Reject { reason: Reason::BadPlan, note: "no".into() }, 2, "bad_plan: no"),
    ] {
        let digest = open(&runner, thread).await.digest();
        let before = world.calls();
        let turn = front.record(thread, digest, &mara(), verdict.clone()).await.unwrap();
        assert!(matches!(turn, RefundsTurn::Running(_)), "{turn}");
        let late = front.record(thread, digest, &clerk(), Verdict::Approve).await.unwrap_err();
        assert!(matches!(late, Error::AlreadyDecided { ref by, .. } if by == "mara"), "{late}");
        assert_eq!(world.calls(), before, "a front has called the world");

        runner.sweep().await.unwrap();
        runner.sweep().await.unwrap();
        assert_eq!(world.calls(), calls);
        assert_eq!(done(front.turn(thread).await.unwrap()), outcome);
        front.audit(thread, None).await.unwrap().sound().unwrap();
    }
}

/// The handles of a front's turn record, too. None of them runs a node.
#[tokio::test]
async fn handles_of_a_front_run_nothing() {
    let world = World::new([Behavior::Refuses]);
    let (runner, front) = processes(&world);
    let _ = open(&runner, "t").await;

    let turn = review(front.turn("t").await.unwrap()).approve(&mara()).await.unwrap();
    let RefundsTurn::Running(running) = turn else { panic!("{turn}") };
    let turn = running.resume().await.unwrap();
    assert!(matches!(turn, RefundsTurn::Running(_)), "{turn}");
    assert_eq!(world.calls(), 0);

    runner.sweep().await.unwrap();
    let RefundsTurn::Failed(failed) = front.turn("t").await.unwrap() else { panic!("the bank refuses once") };
    let places = || async { front.history("t", 0, 100).await.unwrap().len() };
    let before = places().await;
    let turn = failed.resume().await.unwrap();
    assert!(matches!(turn, RefundsTurn::Running(_)), "{turn}");
    assert_eq!((world.calls(), places().await), (1, before + 1), "the retry is recorded, and a runner's");
    runner.sweep().await.unwrap();
    assert_eq!(done(front.turn("t").await.unwrap()), "did A-9133 149 by mara");
}

/// A question leads back to a node, which the front leaves to the runner.
#[tokio::test]
async fn a_question_is_answered_by_the_runner() {
    let world = World::default();
    let (runner, front) = processes(&world);
    let digest = open(&runner, "t").await.digest();
    let runs = world.runs().len();
    let ask = Verdict::Ask { question: "photo?".into() };
    assert!(matches!(front.record("t", digest, &mara(), ask).await.unwrap(), RefundsTurn::Running(_)));
    assert_eq!(world.runs().len(), runs);
    runner.sweep().await.unwrap();
    assert_eq!(review(front.turn("t").await.unwrap()).draft().dollars, 99);
}

#[tokio::test]
async fn an_expired_review_is_closed_by_a_front_too() {
    let (world, store) = (World::default(), MemoryStore::new());
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let runner = Refunds::new(world.clone(), store.clone()).clock(clock.clone());
    let front = Front::<Refunds>::new(store).clock(clock.clone());
    let digest = open(&runner, "t").await.digest();
    clock.advance(Duration::from_hours(24));
    let late = front.record("t", digest, &mara(), Verdict::Approve).await.unwrap_err();
    assert!(matches!(late, Error::Expired { .. }), "{late}");
    runner.sweep().await.unwrap();
    assert!(done(front.turn("t").await.unwrap()).starts_with("expired"));
    assert_eq!(world.calls(), 0);
}

/// The runner died in the effect. A front must not settle a doubt that no runner has recorded: the runner may still live.
#[tokio::test]
async fn a_front_settles_only_a_doubt_that_a_runner_has_recorded() {
    let (world, store) = (World::new([Behavior::Hangs]), MemoryStore::new());
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let runner = Refunds::new(world.clone(), store.clone()).clock(clock.clone());
    let review = open(&runner, "t").await;
    let dead = tokio::spawn(async move { review.approve(&mara()).await });
    world.reached.notified().await;
    clock.advance(Duration::from_secs(60));

    let (woken, mut calls) = tokio::sync::mpsc::unbounded_channel();
    let front = Front::<Refunds>::new(store.clone()).clock(clock.clone()).wake_with(move |thread| {
        let woken = woken.clone();
        async move { woken.send(thread) }
    });
    let places = async || front.history("t", 0, 100).await.unwrap().len();
    let before = places().await;
    let RefundsTurn::InDoubt(doubt) = front.turn("t").await.unwrap() else { panic!("the lease has expired") };
    for how in [Settlement::RunAgain, Settlement::Stop { note: "enough".into() }] {
        let early = front.settle("t", doubt.digest(), &mara(), how).await.unwrap_err();
        assert!(matches!(early, Error::NeedsRunner { .. }), "{early}");
    }
    assert_eq!(places().await, before);
    let thread = calls.recv().await.unwrap();

    let successor = Refunds::new(world.clone(), store).clock(clock);
    drop(successor.continue_thread(thread).await.unwrap());
    let turn = front.settle("t", doubt.digest(), &mara(), Settlement::RunAgain).await.unwrap();
    assert_eq!(turn.to_string(), "`t` waits for a runner at `execute`");
    let again = front.settle("t", doubt.digest(), &mara(), Settlement::RunAgain).await.unwrap_err();
    assert!(matches!(again, Error::NotInDoubt { .. }), "{again}");
    assert_eq!(world.calls(), 1);
    successor.sweep().await.unwrap();
    assert_eq!(done(front.turn("t").await.unwrap()), "did A-9133 149 by mara");
    assert_eq!((world.calls(), world.keys().len()), (2, 1));
    front.audit("t", None).await.unwrap().sound().unwrap();
    dead.abort();
}

/// A front wakes its agent for what was decided. A node that has failed in another branch waits for a person.
#[tokio::test]
async fn a_woken_agent_retries_no_failed_node() {
    let bank = Bank::default();
    bank.declines.store(true, Ordering::SeqCst);
    let agent = Jobs::new(bank.clone(), MemoryStore::new());
    bank.has_seen.notify_one();
    let JobsTurn::Pay(review) = agent.start("t", JobInput { cents: 7 }).await.unwrap() else { panic!() };
    assert_eq!(bank.tries.load(Ordering::SeqCst), 1);
    let mut events = agent.listen("t").unwrap();
    drop(agent.front().record("t", review.digest(), &clerk(), Verdict::Approve).await.unwrap());
    bank.paid.notified().await;
    while !matches!(events.next().await, ThreadEvent::Entry(entry) if entry.event.name() == "ran") {}
    agent.wait_idle().await;
    assert_eq!(bank.tries.load(Ordering::SeqCst), 1, "nobody has asked for the retry");
    let turn = agent.turn("t").await.unwrap();
    assert!(matches!(turn, JobsTurn::Failed(_)), "{turn}");
}

#[tokio::test]
async fn the_front_of_an_agent_wakes_it() {
    let world = World::default();
    let agent = Refunds::new(world.clone(), MemoryStore::new());
    let digest = open(&agent, "t").await.digest();
    let mut events = agent.listen("t").unwrap();
    let turn = agent.front().record("t", digest, &mara(), Verdict::Approve).await.unwrap();
    assert!(matches!(turn, RefundsTurn::Running(_)), "the call runs nothing: {turn}");
    while !matches!(events.next().await, ThreadEvent::Entry(entry) if entry.event.name() == "ended") {}
    assert_eq!(world.calls(), 1);
}

/// A runner that cannot be reached delays the thread until the next sweep, and nothing else.
#[tokio::test]
async fn a_failed_or_panicking_wake_loses_nothing() {
    let world = World::default();
    let (runner, front) = processes(&world);
    let called = Arc::new(Notify::new());
    let fails = front.clone().wake_with({
        let called = Arc::clone(&called);
        move |_| {
            called.notify_one();
            async { Err("no route to host") }
        }
    });
    let panics = front.clone().wake_with({
        let called = Arc::clone(&called);
        move |_| -> Ready<Result<(), Error>> {
            called.notify_one();
            panic!("out of cheese")
        }
    });
    for (thread, front) in [("fails", fails), ("panics", panics)] {
        let digest = open(&runner, thread).await.digest();
        drop(front.record(thread, digest, &mara(), Verdict::Approve).await.unwrap());
        called.notified().await;
        runner.sweep().await.unwrap();
        assert_eq!(done(front.turn(thread).await.unwrap()), "did A-9133 149 by mara");
    }
}

/// Nothing wakes a runner for a thread that waits for a person or has ended.
#[tokio::test]
async fn a_runner_is_woken_only_if_there_is_something_to_run() {
    let world = World::new([Behavior::Fails]);
    let (runner, front) = processes(&world);
    let (woken, mut calls) = tokio::sync::mpsc::unbounded_channel();
    let front = front.wake_with(move |thread| {
        let woken = woken.clone();
        async move { woken.send(thread) }
    });
    let RefundsTurn::InDoubt(doubt) = open(&runner, "stopped").await.approve(&mara()).await.unwrap() else {
        panic!("the connection broke")
    };
    let stop = Settlement::Stop { note: "enough".into() };
    drop(front.settle("stopped", doubt.digest(), &mara(), stop).await.unwrap());

    let digest = open(&runner, "runs").await.digest();
    drop(front.record("runs", digest, &mara(), Verdict::Approve).await.unwrap());
    assert_eq!(calls.recv().await.unwrap().as_str(), "runs");
    assert!(calls.try_recv().is_err());
}

/// The signals between the branches of a job and its test.
#[derive(Clone, Default)]
pub struct Bank {
    looks: Arc<Notify>,
    has_seen: Arc<Notify>,
    paid: Arc<Notify>,
    /// `true` if `look` fails.
    declines: Arc<AtomicBool>,
    /// The number of runs of `look`.
    tries: Arc<AtomicUsize>,
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

/// Runs until the test has seen the payment.
#[node(Job, writes = log)]
async fn look(bank: Deps<Bank>) -> Result<Vec<String>> {
    bank.tries.fetch_add(1, Ordering::SeqCst);
    bank.looks.notify_one();
    bank.has_seen.notified().await;
    if bank.declines.load(Ordering::SeqCst) {
        return Err(NodeError::msg("it cannot look"));
    }
    Ok(vec!["looked".into()])
}

#[node(Job, writes = draft)]
async fn propose(cents: u32) -> Result<Draft> {
    Ok(Draft { cents })
}

#[interrupt_before(role = "clerk")]
#[node(Job, writes = log, effect)]
async fn pay(draft: &Approved<Draft>, bank: Deps<Bank>) -> Result<Vec<String>> {
    bank.paid.notify_one();
    Ok(vec![format!("paid {}", draft.cents)])
}

#[node(Job, writes = log)]
async fn decline(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

graph! {
    pub Jobs<Job, Bank> {
        start -> (look, propose -> pay) -> end;
        pay { reject -> decline }
        decline -> end;
    }
}

/// Starts a job, whose runner has to wait for `look`, and returns when its review is open; decides it, and returns the
/// time until the effect has happened.
async fn delay<F>(agent: &Agent<Jobs>, bank: &Bank, decide: impl FnOnce(hitl::Digest) -> F) -> Duration
where
    F: Future<Output = ()>,
{
    let mut events = agent.listen("t").unwrap();
    let running = tokio::spawn({
        let agent = agent.clone();
        async move { agent.start("t", JobInput { cents: 7 }).await }
    });
    bank.looks.notified().await;
    while !matches!(events.next().await, ThreadEvent::Entry(entry) if entry.event.name() == "paused") {}
    // The runner has been idle for a while.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let digest = agent.inbox(None, 1).await.unwrap().items[0].digest;
    let decided = Instant::now();
    decide(digest).await;
    bank.paid.notified().await;
    let delay = decided.elapsed();
    bank.has_seen.notify_one();
    let JobsTurn::Done(log) = running.await.unwrap().unwrap() else { panic!("the job has ended") };
    assert_eq!(log, ["looked", "paid 7"]);
    agent.verify("t").await.unwrap();
    delay
}

/// The times are those of tokio's paused clock, which moves only while no task can run.
#[tokio::test(start_paused = true)]
async fn a_verdict_beside_a_running_branch_takes_effect_at_once() {
    for is_front in [false, true] {
        let (bank, store) = (Bank::default(), MemoryStore::new());
        let agent = Jobs::new(bank.clone(), store);
        let delay = delay(&agent, &bank, async |digest| {
            let decided = match is_front {
                true => agent.front().record("t", digest, &clerk(), Verdict::Approve).await,
                false => agent.decide("t", digest, &clerk(), Verdict::Approve).await,
            };
            drop(decided.unwrap());
        });
        assert!(delay.await < Duration::from_millis(10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_of_another_process_takes_effect_within_a_second() {
    let (bank, store) = (Bank::default(), MemoryStore::new());
    let agent = Jobs::new(bank.clone(), store.clone());
    let front = Front::<Jobs>::new(store);
    let delay = delay(&agent, &bank, async |digest| {
        drop(front.record("t", digest, &clerk(), Verdict::Approve).await.unwrap());
    });
    assert!(delay.await < Duration::from_secs(1));
}

/// A run that looks for entries of other writers renews its lease all the same.
#[tokio::test(start_paused = true)]
async fn looking_for_verdicts_delays_no_renewal() {
    let (bank, store) = (Bank::default(), MemoryStore::new());
    let agent = Jobs::new(bank.clone(), store).lease(Duration::from_secs(3));
    let mut events = agent.listen("t").unwrap();
    let running = tokio::spawn({
        let agent = agent.clone();
        async move { agent.start("t", JobInput { cents: 7 }).await }
    });
    bank.looks.notified().await;
    let begun = Instant::now();
    let mut renewals = 0;
    while renewals < 3 {
        let ThreadEvent::Entry(entry) = events.next().await else { continue };
        renewals += usize::from(entry.event.name() == "renewed");
    }
    assert!(begun.elapsed() <= Duration::from_secs(4), "{:?}", begun.elapsed());
    bank.has_seen.notify_one();
    let turn = running.await.unwrap().unwrap();
    assert!(matches!(turn, JobsTurn::Pay(_)), "{turn}");
}

#[state]
pub struct Payroll {
    #[input]
    pub payments: Vec<Draft>,
    pub payment: Draft,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

/// The first payment hangs until the test has seen enough.
#[interrupt_before(role = "clerk")]
#[node(Payroll, writes = log, effect)]
async fn transfer(payment: &Approved<Draft>, bank: Deps<Bank>) -> Result<Vec<String>> {
    if bank.tries.fetch_add(1, Ordering::SeqCst) == 0 {
        bank.paid.notify_one();
        bank.has_seen.notified().await;
    }
    Ok(vec![format!("paid {}", payment.cents)])
}

#[node(Payroll, writes = log)]
async fn skip(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

graph! {
    pub Payrolls<Payroll, Bank> {
        start -> for payment in payments, at_most = 1 { transfer } -> end;
        transfer { reject -> skip }
        skip -> end;
    }
}

/// The verdicts on the other items come faster than the lease has to be renewed, and none of them can run yet.
#[tokio::test(start_paused = true)]
async fn frequent_verdicts_put_no_renewal_off() {
    let (bank, store) = (Bank::default(), MemoryStore::new());
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let lease = Duration::from_secs(3);
    let agent = |store| Payrolls::new(bank.clone(), store).clock(clock.clone()).lease(lease);
    let (runner, other) = (agent(store.clone()), agent(store.clone()));
    let fronts = [runner.front(), Front::<Payrolls>::new(store).clock(clock.clone())];
    let payments = (0..30).map(|cents| Draft { cents }).collect();
    let _ = runner.start("t", PayrollInput { payments }).await.unwrap();
    let reviews = fronts[0].inbox(None, 100).await.unwrap().items;
    let (first, others) = reviews.split_first().unwrap();
    let running = tokio::spawn({
        let (runner, digest) = (runner.clone(), first.digest);
        async move { runner.decide("t", digest, &clerk(), Verdict::Approve).await }
    });
    bank.paid.notified().await;
    for (review, front) in others.iter().zip(fronts.iter().cycle()) {
        let step = Duration::from_millis(400);
        tokio::time::sleep(step).await;
        clock.advance(step);
        drop(front.record("t", review.digest, &clerk(), Verdict::Approve).await.unwrap());
        assert!(other.sweep().await.unwrap().is_empty(), "the thread was taken from a live runner");
    }
    assert_eq!(bank.tries.load(Ordering::SeqCst), 1);
    bank.has_seen.notify_one();
    let PayrollsTurn::Done(log) = running.await.unwrap().unwrap() else { panic!("all are signed") };
    assert_eq!((log.len(), bank.tries.load(Ordering::SeqCst)), (30, 30));
    runner.audit("t", None).await.unwrap().sound().unwrap();
}
