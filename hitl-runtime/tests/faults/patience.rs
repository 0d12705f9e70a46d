//! Retries of a failing store: a runner that has run a node retries its append; a call that has done nothing yet fails
//! at once.

use std::time::Duration;

use hitl::{Error, MemoryStore, StoreError};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    desk::{Desk, RefundsTurn, said},
    shaky::{
        Fate::{Fails, LosesTheAnswer, Refuses, Works},
        Shaky,
    },
};

const BEGUN: [&str; 3] = ["started", "ran", "paused"];
const ENDED: [&str; 7] = ["started", "ran", "paused", "decided", "began", "ran", "ended"];

/// Returns the total backoff of this number of retries: 50 ms, doubled each time.
fn waits(times: u32) -> Duration {
    Duration::from_millis(50) * (2u32.pow(times) - 1)
}

fn desk() -> (Desk, Shaky<MemoryStore>, TempDir) {
    let dir = TempDir::new().unwrap();
    let store = Shaky::new(MemoryStore::new());
    (Desk::new(dir.path(), store.clone()), store, dir)
}

#[tokio::test(start_paused = true)]
async fn what_a_node_has_written_is_stored_at_the_sixth_attempt_at_the_latest() {
    for failures in 1..=5 {
        let (desk, store, _dir) = desk();
        store.appends([Works]);
        store.appends(vec![Fails; failures as usize]);
        let begun = Instant::now();
        assert!(matches!(desk.start().await.unwrap(), RefundsTurn::Pay(_)));
        assert_eq!((begun.elapsed(), store.is_over()), (waits(failures), true));
        assert_eq!(desk.history().await, BEGUN, "it is written once");
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_sixth_failure_it_says_so_and_the_thread_is_as_it_was() {
    let (desk, store, _dir) = desk();
    store.appends([Works]);
    store.appends([Fails; 6]);
    let begun = Instant::now();
    assert!(said(desk.start().await).contains("try again"));
    assert_eq!((begun.elapsed(), store.is_over()), (waits(5), true));
    assert_eq!(desk.history().await, ["started"]);
    desk.goes_on().await;
}

/// The payment was made; the entry that says so is retried.
#[tokio::test(start_paused = true)]
async fn an_effect_is_not_in_doubt_because_a_store_failed_for_a_moment() {
    let (desk, store, _dir) = desk();
    let desk = desk.waits().await;
    store.appends([Works, Fails, Fails, Fails]);
    assert!(matches!(desk.approve().await.unwrap(), RefundsTurn::Done(_)));
    assert_eq!((desk.refunds(), store.is_over()), (1, true));
    assert_eq!(desk.history().await, ENDED);
}

#[tokio::test(start_paused = true)]
async fn an_effect_whose_end_cannot_be_stored_is_in_doubt() {
    let (desk, store, _dir) = desk();
    let desk = desk.waits().await;
    store.appends([Works]);
    store.appends([Fails; 6]);
    said(desk.approve().await);
    assert_eq!(desk.refunds(), 1);
    assert_eq!(desk.history().await, ENDED[..5]);
    desk.goes_on().await;
}

/// Nothing was done yet, so nothing can be lost: the caller decides about a retry.
#[tokio::test(start_paused = true)]
async fn a_move_that_cannot_be_stored_is_given_back_at_once() {
    let begun = Instant::now();
    let (desk, store, _dir) = desk();
    store.appends([Fails]);
    said(desk.start().await);
    assert!(matches!(desk.agent.view("ticket-A-9133").await, Err(Error::UnknownThread { .. })));
    let desk = desk.waits().await;
    store.appends([Fails]);
    said(desk.approve().await);
    assert_eq!(desk.history().await, BEGUN);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    desk.goes_on().await;
}

/// The retry finds that the place is taken, and that the entry there is its own.
#[tokio::test(start_paused = true)]
async fn an_append_whose_answer_was_lost_is_not_taken_for_a_conflict() {
    for then in [&[][..], &[Fails], &[Fails, Fails, Fails, Fails]] {
        let (desk, store, _dir) = desk();
        store.appends([Works, LosesTheAnswer]);
        store.appends(then.iter().copied());
        assert!(matches!(desk.start().await.unwrap(), RefundsTurn::Pay(_)));
        assert_eq!(desk.history().await, BEGUN);
        store.appends([Works, LosesTheAnswer]);
        store.appends(then.iter().copied());
        assert!(matches!(desk.approve().await.unwrap(), RefundsTurn::Done(_)));
        assert_eq!((desk.refunds(), store.is_over()), (1, true));
        assert_eq!(desk.history().await, ENDED, "no node ran again, and no entry is there twice");
    }
}

/// The verdict counts although its caller got an error. A second attempt reports that it was decided.
#[tokio::test(start_paused = true)]
async fn a_verdict_whose_answer_was_lost_counts_once() {
    let (desk, store, _dir) = desk();
    let desk = desk.waits().await;
    let digest = desk.view().await.reviews[0].digest;
    store.appends([LosesTheAnswer]);
    said(desk.approve().await);
    assert_eq!(desk.history().await, ENDED[..5]);
    let mara = hitl::Operator::new("mara");
    let again = desk.agent.decide("ticket-A-9133", digest, &mara, hitl::Verdict::Approve).await;
    assert!(matches!(again, Err(Error::AlreadyDecided { by, .. }) if by == "mara"));
    assert_eq!(desk.refunds(), 0, "nobody ran it");
    desk.goes_on().await;
}

/// During the backoff the lease expires, and another runner takes over. The entry of that runner is not mistaken for
/// the retried one.
#[tokio::test(start_paused = true)]
async fn a_place_that_another_runner_took_meanwhile_is_its_own() {
    let dir = TempDir::new().unwrap();
    let memory = MemoryStore::new();
    let store = Shaky::new(memory.clone());
    let (desk, heir) = (Desk::new(dir.path(), store.clone()), Desk::new(dir.path(), memory));
    store.appends([Works, Fails]);
    let overtaken = async {
        store.failed().await;
        heir.take_over().await
    };
    let (late, first) = tokio::join!(desk.start(), overtaken);
    // Both callers get the state of the thread, and only one of them has moved it.
    let (RefundsTurn::Pay(late), RefundsTurn::Pay(first)) = (late.unwrap(), first) else { panic!() };
    assert_eq!(late.digest(), first.digest());
    assert_eq!(heir.history().await, ["started", "resumed", "ran", "paused"]);
    heir.goes_on().await;
}

/// An error that a retry cannot fix is not retried.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_given_back_at_once() {
    let (desk, store, _dir) = desk();
    store.appends([Works, Refuses]);
    let begun = Instant::now();
    let refused = desk.start().await;
    assert!(matches!(refused, Err(Error::Store(StoreError::FromTheFuture { .. }))));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    desk.goes_on().await;
}

mod side_by_side {
    //! A store that fails while a node of another branch runs.

    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    };

    use hitl::prelude::*;
    use tokio::sync::Notify;

    use crate::{
        desk::{Refund, said},
        shaky::{Fate::Fails, Shaky},
    };

    #[state]
    pub struct Errand {
        #[input]
        pub wish: Refund,
        #[reduce(append)]
        #[output]
        pub log: Vec<String>,
    }

    #[derive(Clone, Default)]
    pub struct World {
        leave: Arc<Notify>,
        is_back: Arc<AtomicBool>,
    }

    #[node(Errand, writes = log, effect, risk = low)]
    async fn fetch(wish: &Refund, world: Deps<World>) -> Result<Vec<String>> {
        world.leave.notified().await;
        world.is_back.store(true, SeqCst);
        Ok(vec![format!("{} cents fetched", wish.cents)])
    }

    #[interrupt_before]
    #[node(Errand, writes = log, effect)]
    async fn tell(wish: &Approved<Refund>) -> Result<Vec<String>> {
        Ok(vec![format!("told, signed by {}", wish.operator())])
    }

    #[node(Errand, writes = log)]
    async fn keep(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![rejection.reason.to_string()])
    }

    graph! {
        pub Errands<Errand, World> {
            start -> (fetch, tell) -> end;
            tell { reject -> keep }
            keep -> end;
        }
    }

    /// The runner finds that a person has moved the thread, and cannot read the new state. The node in flight is not
    /// canceled.
    #[tokio::test(start_paused = true)]
    async fn what_runs_comes_to_its_end_when_the_store_cannot_be_read() {
        let (world, memory) = (World::default(), MemoryStore::new());
        let shaky = Shaky::new(memory.clone());
        let runner = Errands::new(world.clone(), shaky.clone());
        let desk = Errands::new(world.clone(), memory);
        let decide = async {
            let digest = loop {
                match desk.thread("t").await {
                    Ok(ErrandsTurn::Tell(review)) => break review.digest(),
                    _ => tokio::task::yield_now().await,
                }
            };
            shaky.tails([Fails]);
            let mara = Operator::new("mara");
            drop(desk.decide("t", digest, &mara, Verdict::Approve).await.unwrap());
            // The runner's renewal of its lease has failed.
            shaky.failed().await;
            world.leave.notify_one();
        };
        let input = ErrandInput { wish: Refund { cents: 5 } };
        let (ended, ()) = tokio::join!(runner.start("t", input), decide);
        assert!(said(ended).contains("try again"));
        assert!(world.is_back.load(SeqCst), "it was cut off");
    }
}
