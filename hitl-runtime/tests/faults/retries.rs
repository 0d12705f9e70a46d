//! Retries of a failing store: a runner that has run a node retries its append; a call that has done nothing yet fails
//! at once.

use std::time::Duration;

use hitl::{Error, MemoryStore, StoreError};
use hitl_testkit::{
    CallOutcome::{Failure, PermanentFailure, ResponseLost, Success},
    FailingStore, Faults,
};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::refund_agent::{Process, RefundsTurn, error_text};

const BEGUN: [&str; 3] = ["started", "ran", "paused"];
const ENDED: [&str; 7] = ["started", "ran", "paused", "decided", "began", "ran", "ended"];

/// Returns the total backoff of this number of retries: 50 ms, doubled each time.
fn total_backoff(times: u32) -> Duration {
    Duration::from_millis(50) * (2u32.pow(times) - 1)
}

fn process() -> (Process, FailingStore<MemoryStore>, TempDir) {
    let dir = TempDir::new().unwrap();
    let store = FailingStore::new(MemoryStore::new(), Faults::default());
    (Process::new(dir.path(), store.clone()), store, dir)
}

#[tokio::test(start_paused = true)]
async fn a_node_result_is_stored_within_six_attempts() {
    for failures in 1..=5 {
        let (process, store, _dir) = process();
        store.layer().appends([Success]);
        store.layer().appends(vec![Failure; failures as usize]);
        let begun = Instant::now();
        assert!(matches!(process.start().await.unwrap(), RefundsTurn::Pay(_)));
        assert_eq!((begun.elapsed(), store.layer().is_exhausted()), (total_backoff(failures), true));
        assert_eq!(process.history().await, BEGUN, "an entry was written twice");
    }
}

#[tokio::test(start_paused = true)]
async fn the_sixth_failure_is_returned_and_changes_nothing() {
    let (process, store, _dir) = process();
    store.layer().appends([Success]);
    store.layer().appends([Failure; 6]);
    let begun = Instant::now();
    assert!(error_text(process.start().await).contains("try again"));
    assert_eq!((begun.elapsed(), store.layer().is_exhausted()), (total_backoff(5), true));
    assert_eq!(process.history().await, ["started"]);
    process.assert_completes().await;
}

/// The payment was made; the entry that says so is retried.
#[tokio::test(start_paused = true)]
async fn a_transient_store_failure_puts_no_effect_in_doubt() {
    let (process, store, _dir) = process();
    let process = process.started().await;
    store.layer().appends([Success, Failure, Failure, Failure]);
    assert!(matches!(process.approve().await.unwrap(), RefundsTurn::Done(_)));
    assert_eq!((process.refunds(), store.layer().is_exhausted()), (1, true));
    assert_eq!(process.history().await, ENDED);
}

#[tokio::test(start_paused = true)]
async fn an_effect_whose_result_cannot_be_stored_is_in_doubt() {
    let (process, store, _dir) = process();
    let process = process.started().await;
    store.layer().appends([Success]);
    store.layer().appends([Failure; 6]);
    error_text(process.approve().await);
    assert_eq!(process.refunds(), 1);
    assert_eq!(process.history().await, ENDED[..5]);
    process.assert_completes().await;
}

/// Nothing was done yet, so nothing can be lost: the caller decides about a retry.
#[tokio::test(start_paused = true)]
async fn a_failed_append_before_any_work_is_returned_at_once() {
    let begun = Instant::now();
    let (process, store, _dir) = process();
    store.layer().appends([Failure]);
    error_text(process.start().await);
    assert!(matches!(process.agent.view("ticket-A-9133").await, Err(Error::UnknownThread { .. })));
    let process = process.started().await;
    store.layer().appends([Failure]);
    error_text(process.approve().await);
    assert_eq!(process.history().await, BEGUN);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    process.assert_completes().await;
}

/// The retry finds that the place is taken, and that the entry there is its own.
#[tokio::test(start_paused = true)]
async fn a_lost_append_response_is_not_taken_for_a_conflict() {
    for then in [&[][..], &[Failure], &[Failure, Failure, Failure, Failure]] {
        let (process, store, _dir) = process();
        store.layer().appends([Success, ResponseLost]);
        store.layer().appends(then.iter().copied());
        assert!(matches!(process.start().await.unwrap(), RefundsTurn::Pay(_)));
        assert_eq!(process.history().await, BEGUN);
        store.layer().appends([Success, ResponseLost]);
        store.layer().appends(then.iter().copied());
        assert!(matches!(process.approve().await.unwrap(), RefundsTurn::Done(_)));
        assert_eq!((process.refunds(), store.layer().is_exhausted()), (1, true));
        assert_eq!(process.history().await, ENDED, "a node was rerun or an entry written twice");
    }
}

/// The verdict counts although its caller got an error. A second attempt reports that it was decided.
#[tokio::test(start_paused = true)]
async fn a_verdict_with_a_lost_response_counts_once() {
    let (process, store, _dir) = process();
    let process = process.started().await;
    let digest = process.view().await.reviews[0].digest;
    store.layer().appends([ResponseLost]);
    error_text(process.approve().await);
    assert_eq!(process.history().await, ENDED[..5]);
    let mara = hitl::Operator::new("mara");
    let again = process.agent.decide("ticket-A-9133", digest, &mara, hitl::Verdict::Approve).await;
    assert!(matches!(again, Err(Error::AlreadyDecided { by, .. }) if by == "mara"));
    assert_eq!(process.refunds(), 0, "the effect ran");
    process.assert_completes().await;
}

/// During the backoff the lease expires, and another runner takes over. The entry of that runner is not mistaken for
/// the retried one.
#[tokio::test(start_paused = true)]
async fn an_entry_of_another_runner_is_not_taken_for_a_retry() {
    let dir = TempDir::new().unwrap();
    let memory = MemoryStore::new();
    let store = FailingStore::new(memory.clone(), Faults::default());
    let (process, successor) = (Process::new(dir.path(), store.clone()), Process::new(dir.path(), memory));
    store.layer().appends([Success, Failure]);
    let overtaken = async {
        store.layer().failed().await;
        successor.take_over().await
    };
    let (late, first) = tokio::join!(process.start(), overtaken);
    // Both callers get the state of the thread, and only one of them has moved it.
    let (RefundsTurn::Pay(late), RefundsTurn::Pay(first)) = (late.unwrap(), first) else { panic!() };
    assert_eq!(late.digest(), first.digest());
    assert_eq!(successor.history().await, ["started", "resumed", "ran", "paused"]);
    successor.assert_completes().await;
}

/// An error that a retry cannot fix is not retried.
#[tokio::test(start_paused = true)]
async fn a_permanent_store_error_is_not_retried() {
    let (process, store, _dir) = process();
    store.layer().appends([Success, PermanentFailure]);
    let begun = Instant::now();
    let refused = process.start().await;
    assert!(matches!(refused, Err(Error::Store(StoreError::NewerSchema { .. }))));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    process.assert_completes().await;
}

mod concurrent_branches {
    //! A store that fails while a node of another branch runs.

    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering::SeqCst},
        },
        time::Duration,
    };

    use hitl::prelude::*;
    use hitl_testkit::{CallOutcome::Failure, FailingStore, Faults};
    use tokio::sync::Notify;

    use crate::refund_agent::{Refund, error_text};

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
        Ok(vec![format!("told, signed by {}", wish.signer())])
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

    /// A person moves the thread, and the next reads of its runner fail; later the node in flight ends.
    async fn unreadable(
        failures: usize,
        lasts: Duration,
    ) -> (Result<ErrandsTurn, hitl::Error>, World, Vec<String>) {
        let (world, memory) = (World::default(), MemoryStore::new());
        let failing = FailingStore::new(memory.clone(), Faults::default());
        let runner = Errands::new(world.clone(), failing.clone());
        let process = Errands::new(world.clone(), memory);
        let decide = async {
            let digest = loop {
                match process.turn("t").await {
                    Ok(ErrandsTurn::Tell(review)) => break review.digest(),
                    _ => tokio::task::yield_now().await,
                }
            };
            failing.layer().tails(vec![Failure; failures]);
            let mara = Operator::new("mara");
            drop(process.decide("t", digest, &mara, Verdict::Approve).await.unwrap());
            failing.layer().failed().await;
            tokio::time::sleep(lasts).await;
            world.leave.notify_one();
        };
        let input = ErrandInput { wish: Refund { cents: 5 } };
        let (ended, ()) = tokio::join!(runner.start("t", input), decide);
        let history = process.history("t", 0, 100).await.unwrap().into_iter();
        let ran = history.filter(|entry| entry.event.name() == "ran");
        (ended, world, ran.filter_map(|entry| entry.event.node().map(str::to_owned)).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_that_cannot_be_read_at_first_takes_effect_later() {
        let (ended, _, ran) = unreadable(1, Duration::from_secs(1)).await;
        assert!(matches!(ended.unwrap(), ErrandsTurn::Done(_)));
        assert_eq!(ran, ["tell", "fetch"]);
    }

    /// The renewal of the lease is a conflict, after which the thread cannot be read. The node in flight is not canceled.
    #[tokio::test(start_paused = true)]
    async fn a_running_node_finishes_when_the_store_is_unreadable() {
        let (ended, world, _) = unreadable(100, Duration::from_secs(20)).await;
        assert!(error_text(ended).contains("try again"));
        assert!(world.is_back.load(SeqCst), "the node was canceled");
    }
}
