//! Sweeps: recovery of threads whose process died, and expiry and reminders of open reviews.

use std::time::Duration;

use super::{
    Agent, Graph,
    sweeper::{Step, Sweeper},
};
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
/// # let clock = ManualClock::at_ms(0);
/// # let agent = RefundAgent::new(MemoryStore::new()).clock(clock.clone());
/// # let _ = waiting(&agent, "A-9133").await?;
/// clock.advance(Duration::from_secs(25 * 60 * 60));
/// for noticed in agent.sweep().await? {
///     match noticed {
///         SweepEvent::Moved { thread, .. } => println!("{thread} goes on"),
///         SweepEvent::Waits { review } => println!("{} still waits before {}", review.thread, review.node),
///         SweepEvent::Refused { thread, error } => eprintln!("{thread}: {error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum SweepEvent {
    /// The sweep took over a thread without a live runner, or let a review of it expire.
    Moved {
        /// The thread.
        thread: ThreadId,
        /// The thread's status now: a node may have failed. [`ThreadStatus::Running`] if another runner has taken the
        /// thread over, or if the thread waits for a slot to run.
        standing: ThreadStatus,
    },
    /// A reminder: a review has been open for the interval of `remind`, or for another such interval. A person should
    /// be notified. The journal records the reminder, so only one of all concurrent sweeps reports it.
    Waits {
        /// The review.
        review: OpenReview,
    },
    /// A thread is due, but this program cannot process it. [`Agent::watch`] retries it with backoff, 1 pass later,
    /// then 2, 4 and so on up to 64 passes later, so that it takes no time from others.
    Refused {
        /// The thread.
        thread: ThreadId,
        /// The reason.
        error: Error,
    },
}

impl<G: Graph> Agent<G> {
    /// Processes every thread of this graph that is due: takes over threads of dead processes, lets reviews expire, and
    /// sends reminders for open reviews. It returns when all of them have come to rest.
    ///
    /// Failed threads stay as they are; [`Agent::resume`] retries them.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let clock = hitl::ManualClock::at_ms(0);
    /// # let agent = RefundAgent::new(MemoryStore::new()).clock(clock.clone());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// assert!(agent.sweep().await?.is_empty(), "nothing is due");
    ///
    /// // The graph says `expires = "24h"`, and no verdict came.
    /// clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    /// assert_eq!(agent.sweep().await?.len(), 1);
    /// assert!(matches!(agent.thread("ticket-A-9133").await?, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the store cannot list the threads that are due. A problem with one thread is [`SweepEvent::Refused`].
    pub async fn sweep(&self) -> Result<Vec<SweepEvent>, Error> {
        let mut sweeper = Sweeper::new(self);
        sweeper.look(Some(self.inner.clock.now_ms()));
        let mut noticed = Vec::new();
        loop {
            match sweeper.next(None).await {
                Step::Events(told) => {
                    for told in told {
                        noticed.push(told?);
                    }
                }
                Step::Idle | Step::Timer => return Ok(noticed),
            }
        }
    }

    /// Sweeps immediately and then once per interval, for as long as the future is polled, and reports the events to
    /// `tell`.
    ///
    /// Each pass processes all threads that are due. At most 16 threads are read at the same time, at most 16 run on
    /// after a review expired, and at most 16 run after they were taken over: threads that run for long delay neither
    /// each other nor a deadline. If 16 threads already run on after expired reviews, the expiry of further reviews is
    /// recorded at once, and their threads run as soon as a slot is free.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::SweepEvent;
    /// use std::time::Duration;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// // At the startup of a long-running program.
    /// let watch = tokio::spawn(async move {
    ///     agent.watch(Duration::from_secs(10), |noticed| match noticed {
    ///         Ok(SweepEvent::Waits { review }) => println!("{} still waits", review.thread),
    ///         Ok(_) => {}
    ///         Err(error) => eprintln!("{error}"),
    ///     }).await
    /// });
    /// # watch.abort();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn watch(&self, every: Duration, mut tell: impl FnMut(Result<SweepEvent, Error>)) -> ! {
        let mut sweeper = Sweeper::new(self);
        let mut next_look = Box::pin(tokio::time::sleep(Duration::ZERO));
        loop {
            match sweeper.next(Some(next_look.as_mut())).await {
                Step::Events(told) => told.into_iter().for_each(&mut tell),
                Step::Timer => {
                    sweeper.look(None);
                    next_look.set(tokio::time::sleep(every));
                }
                // Nothing to do until the next pass.
                Step::Idle => next_look.as_mut().await,
            }
        }
    }
}
