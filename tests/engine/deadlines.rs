//! Deadlines: expiry of reviews, reminders, and the sweeps that handle both.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use hitl::{Clock as _, ManualClock, SweepEvent, Timestamp, journal::Event, prelude::*};
use tokio::sync::Notify;

const HOUR: Duration = Duration::from_secs(3600);

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Letter {
    #[garde(length(min = 1))]
    pub text: String,
}

#[state]
pub struct Mail {
    #[input]
    pub draft: Letter,
    pub checked: bool,
    #[output]
    pub outcome: String,
}

/// Mock dependencies: the number of letters sent, and the notifications that `check` sends and waits for.
#[derive(Clone, Default)]
pub struct Office {
    pub sent: Arc<AtomicU32>,
    pub checking: Arc<Notify>,
    pub check: Arc<Notify>,
}

#[interrupt_before(expires = "24h", remind = "4h")]
#[node(Mail, writes = outcome, effect)]
async fn send(draft: &Approved<Letter>, office: Deps<Office>) -> Result<String> {
    office.sent.fetch_add(1, Ordering::SeqCst);
    Ok(format!("sent {}", draft.text))
}

#[node(Mail, writes = outcome)]
async fn discard(rejection: &Rejection) -> Result<String> {
    Ok(format!("discarded: {}", rejection.reason))
}

#[node(Mail, writes = outcome)]
async fn escalate(rejection: Option<&Rejection>) -> Result<String> {
    Ok(format!("escalated: {}", rejection.map_or("?".to_owned(), |rejection| rejection.reason.to_string())))
}

graph! {
    pub Sender<Mail, Office> {
        start -> send -> end;
        send { reject -> discard, expire -> escalate }
        discard -> end;
        escalate -> end;
    }
}

fn letter() -> MailInput {
    MailInput { draft: Letter { text: "hello".into() } }
}

fn mara() -> Operator {
    Operator::new("mara")
}

fn sender() -> (Agent<Sender>, ManualClock, MemoryStore) {
    let (clock, store) = (ManualClock::at(Timestamp::from_millis(1_000_000)), MemoryStore::new());
    (Sender::new(Office::default(), store.clone()).clock(clock.clone()), clock, store)
}

async fn decisions<G: hitl::Graph>(agent: &Agent<G>, thread: &str) -> Vec<String> {
    let entries = agent.history(thread, 0, 1000).await.unwrap();
    let decided = entries.into_iter().filter_map(|entry| match entry.event {
        Event::Decided { operator, verdict, .. } => Some(format!("{operator} {}", verdict.name())),
        _ => None,
    });
    decided.collect()
}

#[tokio::test]
async fn an_expired_review_follows_its_expire_edge() {
    let (agent, clock, _) = sender();
    let SenderTurn::Send(review) = agent.start("t", letter()).await.unwrap() else { panic!() };
    clock.advance(24 * HOUR);
    let error = review.approve(&mara()).await.unwrap_err();
    assert!(matches!(&error, hitl::Error::Expired { deadline, .. } if *deadline == clock.now()), "{error}");
    let SenderTurn::Done(outcome) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!(outcome, "escalated: expired");
    assert_eq!(decisions(&agent, "t").await, ["hitl reject"]);
}

#[tokio::test]
async fn a_verdict_counts_until_the_last_millisecond() {
    let (agent, clock, _) = sender();
    let SenderTurn::Send(in_time) = agent.start("in time", letter()).await.unwrap() else { panic!() };
    let SenderTurn::Send(late) = agent.start("late", letter()).await.unwrap() else { panic!() };
    clock.advance(24 * HOUR - Duration::from_millis(1));
    assert!(
        matches!(in_time.approve(&mara()).await.unwrap(), SenderTurn::Done(outcome) if outcome == "sent hello")
    );
    clock.advance(Duration::from_millis(1));
    assert_eq!(late.approve(&mara()).await.unwrap_err().code(), "expired");
    assert!(agent.sweep().await.unwrap().is_empty(), "both threads have ended");
    assert_eq!(decisions(&agent, "in time").await, ["mara approve"]);
    assert_eq!(decisions(&agent, "late").await, ["hitl reject"]);
}

/// The sweeper's clock is ahead: by that clock the review has already expired when the operator signs it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_concurrent_verdict_and_deadline_have_one_winner() {
    let (store, office) = (MemoryStore::new(), Office::default());
    let here = ManualClock::at(Timestamp::from_millis(1_000_000));
    let ahead = ManualClock::at(Timestamp::from_millis(1_000_000 + 25 * 3_600_000));
    let (mut signed, mut expired) = (0, 0);
    for round in 0..200 {
        let thread = format!("t{round}");
        let agent = Sender::new(office.clone(), store.clone()).clock(here.clone());
        let sweeper = Sender::new(office.clone(), store.clone()).clock(ahead.clone());
        let SenderTurn::Send(review) = agent.start(thread.as_str(), letter()).await.unwrap() else {
            panic!()
        };
        let verdict = tokio::spawn(async move { review.approve(&mara()).await.map(|turn| turn.to_string()) });
        let sweep = tokio::spawn(async move { sweeper.sweep().await });
        let verdict = verdict.await.unwrap();
        sweep.await.unwrap().unwrap();
        let decided = decisions(&agent, &thread).await;
        match verdict {
            Ok(_) => {
                assert_eq!(decided, ["mara approve"]);
                signed += 1;
            }
            Err(error) => {
                assert!(matches!(&error, hitl::Error::AlreadyDecided { by, .. } if by == "hitl"), "{error}");
                assert_eq!(decided, ["hitl reject"]);
                expired += 1;
            }
        }
        agent.verify(thread.as_str()).await.unwrap();
    }
    assert_eq!(office.sent.load(Ordering::SeqCst), signed);
    assert_eq!(signed + expired, 200);
}

#[tokio::test]
async fn a_reminder_is_sent_once_by_one_of_several_sweeps() {
    let (agent, clock, store) = sender();
    let other = Sender::new(Office::default(), store).clock(clock.clone());
    let _ = agent.start("t", letter()).await.unwrap();
    let told = async || {
        let both = join_all([agent.sweep(), other.sweep(), agent.sweep()]).await;
        let noticed = both.into_iter().flat_map(Result::unwrap);
        noticed
            .map(|noticed| match noticed {
                SweepEvent::Waits { review, .. } => review.node,
                noticed => panic!("{noticed:?}"),
            })
            .collect::<Vec<_>>()
    };
    clock.advance(4 * HOUR - Duration::from_millis(1));
    assert!(told().await.is_empty());
    clock.advance(Duration::from_millis(1));
    assert_eq!(told().await, ["send"]);
    assert!(told().await.is_empty());
    // Two reminders were missed without a sweep; a single reminder makes up for both.
    clock.advance(9 * HOUR);
    assert_eq!(told().await, ["send"]);
    assert!(told().await.is_empty());
    // The last reminder before the deadline is at 20 h; at 24 h the review expires.
    clock.advance(7 * HOUR);
    assert_eq!(told().await, ["send"]);
    clock.advance(4 * HOUR);
    assert!(matches!(agent.sweep().await.unwrap().as_slice(), [SweepEvent::Moved { .. }]));
    assert!(told().await.is_empty());
    agent.verify("t").await.unwrap();
}

#[tokio::test]
async fn a_sweep_resumes_threads_of_dead_processes_only() {
    let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    // With dependencies of its own, because a runtime that shuts down may poll its tasks once more.
    let dead = Office::default();
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let agent = Checker::new(dead.clone(), store.clone()).clock(clock.clone());
    let _running = doomed.spawn(async move { agent.start("t", letter()).await });
    dead.checking.notified().await;
    doomed.shutdown_background();

    let office = Office::default();
    let agent = Checker::new(office.clone(), store).clock(clock.clone());
    assert!(agent.sweep().await.unwrap().is_empty(), "the lease has not expired");
    clock.advance(Duration::from_secs(31));
    office.check.notify_one();
    assert!(
        matches!(agent.sweep().await.unwrap().as_slice(), [SweepEvent::Moved { thread, .. }] if thread.as_str() == "t")
    );
    assert!(matches!(agent.turn("t").await.unwrap(), CheckerTurn::Send(_)));
    assert!(agent.sweep().await.unwrap().is_empty());
}

#[node(Mail, writes = checked)]
async fn check(office: Deps<Office>) -> Result<bool> {
    office.checking.notify_one();
    office.check.notified().await;
    Ok(true)
}

#[node(Mail)]
async fn file(draft: &Letter) -> Result<()> {
    let _ = draft;
    Ok(())
}

#[interrupt_before(expires = "10m", edit = false)]
#[node(Mail, writes = outcome, effect)]
async fn send_soon(draft: &Approved<Letter>, office: Deps<Office>) -> Result<String> {
    office.sent.fetch_add(1, Ordering::SeqCst);
    Ok(format!("sent {}", draft.text))
}

graph! {
    pub Checker<Mail, Office> {
        start -> check -> send -> end;
        send { reject -> discard }
        discard -> end;
    }
}

graph! {
    pub SideBySide<Mail, Office> {
        start -> file -> (check, send_soon) -> end;
        send_soon { reject -> discard }
        discard -> end;
    }
}

/// The review in one branch expires while another process runs the other branch and holds the lease.
#[tokio::test]
async fn a_review_expires_while_a_sibling_branch_runs_elsewhere() {
    let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let office = Office::default();
    let agent = SideBySide::new(office.clone(), store.clone()).clock(clock.clone()).lease(HOUR);
    let running = {
        let agent = agent.clone();
        tokio::spawn(async move { agent.start("t", letter()).await.unwrap() })
    };
    office.checking.notified().await;
    clock.advance(Duration::from_secs(600));
    let sweeper = SideBySide::new(office.clone(), store).clock(clock).lease(HOUR);
    assert!(matches!(sweeper.sweep().await.unwrap().as_slice(), [SweepEvent::Moved { .. }]));
    assert_eq!(decisions(&agent, "t").await, ["hitl reject"]);
    office.check.notify_one();
    let SideBySideTurn::Done(outcome) = running.await.unwrap() else { panic!() };
    assert_eq!(outcome, "discarded: expired");
    assert_eq!(office.sent.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_sweep_reports_incompatible_threads_of_its_graph_only() {
    let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let agent = Sender::new(Office::default(), store.clone()).clock(clock.clone());
    for thread in 0..40 {
        let _ = agent.start(format!("t{thread:02}"), letter()).await.unwrap();
    }
    clock.advance(24 * HOUR);
    // An agent of another graph on the same store ignores these threads.
    let other = Checker::new(Office::default(), store.clone()).clock(clock.clone());
    assert!(other.sweep().await.unwrap().is_empty());
    // A newer graph of the same name, without a review before `send`.
    let newer = newer::Sender::new(store).clock(clock.clone());
    let refused = newer.sweep().await.unwrap();
    assert_eq!(refused.len(), 40);
    assert!(refused.iter().all(|noticed| matches!(noticed, SweepEvent::Refused { .. })), "{refused:?}");
    assert_eq!(agent.sweep().await.unwrap().len(), 40);
}

mod newer {
    use hitl::prelude::*;

    use super::{Letter, Mail};

    #[node(Mail, writes = outcome)]
    async fn send(draft: &Letter) -> Result<String> {
        Ok(draft.text.clone())
    }

    graph! {
        pub Sender<Mail> { start -> send -> end; }
    }
}

/// Tokio's clock is paused and jumps to the next timer, so the test takes no real time.
#[tokio::test(start_paused = true)]
async fn a_watch_sweeps_repeatedly() {
    let (agent, clock, _) = sender();
    let _ = agent.start("t", letter()).await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let watched = agent.clone();
    let watch = tokio::spawn(async move {
        watched.watch(Duration::from_secs(10), |noticed| tell.send(noticed.unwrap()).unwrap()).await
    });
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(told.is_empty());
    clock.advance(4 * HOUR);
    assert!(
        matches!(told.recv().await.unwrap(), SweepEvent::Waits { review, .. } if review.thread.as_str() == "t")
    );
    clock.advance(20 * HOUR);
    assert!(matches!(told.recv().await.unwrap(), SweepEvent::Moved { .. }));
    assert!(matches!(agent.turn("t").await.unwrap(), SenderTurn::Done(_)));
    watch.abort();
}
