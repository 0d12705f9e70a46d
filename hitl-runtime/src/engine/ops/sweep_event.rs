//! The events that a sweep reports.

use crate::{Error, OpenReview, ThreadId, ThreadStatus};

/// An event of a sweep.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{ManualClock, SweepEvent};
/// use std::time::Duration;
///
/// # let clock = ManualClock::at(hitl::Timestamp::UNIX_EPOCH);
/// # let agent = RefundAgent::new(MemoryStore::new()).clock(clock.clone());
/// # let _ = waiting(&agent, "A-9133").await?;
/// clock.advance(Duration::from_secs(25 * 60 * 60));
/// for noticed in agent.sweep().await? {
///     match noticed {
///         SweepEvent::Moved { thread, .. } => println!("{thread} goes on"),
///         SweepEvent::Waits { review, .. } => println!("{} still waits before {}", review.thread, review.node),
///         SweepEvent::Refused { thread, error, .. } => eprintln!("{thread}: {error}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SweepEvent {
    /// The sweep took over a thread without a live runner, or let a review of it expire.
    #[non_exhaustive]
    Moved {
        /// The thread.
        thread: ThreadId,
        /// The thread's status now: a node may have failed. [`ThreadStatus::Running`] if another runner has taken the
        /// thread over, or if the thread waits for a permit to run.
        standing: ThreadStatus,
    },
    /// A reminder: a review has been open for the interval of `remind`, or for another such interval. A person should
    /// be notified. The journal records the reminder, so only one of all concurrent sweeps reports it.
    #[non_exhaustive]
    Waits {
        /// The review.
        review: OpenReview,
    },
    /// A thread is due, but this program cannot process it. [`Agent::watch`](crate::Agent::watch) retries it with backoff, 1 pass later,
    /// then 2, 4 and so on up to 64 passes later, so that it takes no time from others.
    #[non_exhaustive]
    Refused {
        /// The thread.
        thread: ThreadId,
        /// The reason.
        error: Error,
    },
}
