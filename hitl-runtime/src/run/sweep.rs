//! Looking after threads that nobody looks after: of processes that died, of reviews that nobody decides.

use std::time::Duration;

use super::{
    Agent, Graph,
    sweeper::{Step, Sweeper},
};
use crate::{Error, OpenReview, Standing, ThreadId};

/// What a sweep came upon.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{ManualClock, Noticed};
/// use std::time::Duration;
///
/// # let clock = ManualClock::at_ms(0);
/// # let agent = RefundAgent::new(MemoryStore::new()).clock(clock.clone());
/// # let _ = waiting(&agent, "A-9133").await?;
/// clock.advance(Duration::from_secs(25 * 60 * 60));
/// for noticed in agent.sweep().await? {
///     match noticed {
///         Noticed::Moved { thread, .. } => println!("{thread} goes on"),
///         Noticed::Waits { review } => println!("{} still waits before {}", review.thread, review.node),
///         Noticed::Refused { thread, error } => eprintln!("{thread}: {error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum Noticed {
    /// A thread was taken up that nobody ran any more, or a review in it has expired. It rests again.
    Moved {
        /// The thread.
        thread: ThreadId,
        /// How it stands now: a node may have failed.
        standing: Standing,
    },
    /// A review is open for as long as `remind` says, or for as long again: somebody should be told. The journal says
    /// that it was brought up, so one sweep of all is given it.
    Waits {
        /// The review.
        review: OpenReview,
    },
    /// A thread is due, and cannot be taken up by this program. A watch leaves it alone for one look, then for two, four
    /// and so on up to 64, so that it takes no time from others.
    Refused {
        /// The thread.
        thread: ThreadId,
        /// Why not.
        error: Error,
    },
}

impl<G: Graph> Agent<G> {
    /// Looks after every thread of this graph that is due: takes up what a dead process was running, lets reviews
    /// expire, and brings up again what has waited for long. It returns when all of them rest.
    ///
    /// What has failed stays as it is; [`Agent::resume`] tries it again.
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
    /// // `expires = "24h"`, and nobody came.
    /// clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    /// assert_eq!(agent.sweep().await?.len(), 1);
    /// assert!(matches!(agent.thread("ticket-A-9133").await?, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the store cannot say what is due. What is wrong with one thread is [`Noticed::Refused`].
    pub async fn sweep(&self) -> Result<Vec<Noticed>, Error> {
        let mut sweeper = Sweeper::new(self);
        sweeper.look(Some(self.inner.clock.now_ms()));
        let mut noticed = Vec::new();
        loop {
            match sweeper.next(None).await {
                Step::Told(told) => {
                    for told in told {
                        noticed.push(told?);
                    }
                }
                Step::Idle | Step::Timer => return Ok(noticed),
            }
        }
    }

    /// Sweeps now and then every so often, for as long as it is polled, and tells what it comes upon.
    ///
    /// Each look drains all that is due. At once it reads 16 threads, runs on 16 whose reviews have expired, and takes up
    /// 16 that nobody ran any more: threads that run for long hold up neither each other nor a deadline. Where 16 run on
    /// from expired reviews already, the expiry of others is written down, and they run on as soon as there is room.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::Noticed;
    /// use std::time::Duration;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// // What a program that stays does first.
    /// let watch = tokio::spawn(async move {
    ///     agent.watch(Duration::from_secs(10), |noticed| match noticed {
    ///         Ok(Noticed::Waits { review }) => println!("{} still waits", review.thread),
    ///         Ok(_) => {}
    ///         Err(error) => eprintln!("{error}"),
    ///     }).await
    /// });
    /// # watch.abort();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn watch(&self, every: Duration, mut tell: impl FnMut(Result<Noticed, Error>)) -> ! {
        let mut sweeper = Sweeper::new(self);
        let mut next_look = Box::pin(tokio::time::sleep(Duration::ZERO));
        loop {
            match sweeper.next(Some(next_look.as_mut())).await {
                Step::Told(told) => told.into_iter().for_each(&mut tell),
                Step::Timer => {
                    sweeper.look(None);
                    next_look.set(tokio::time::sleep(every));
                }
                // Until the next look.
                Step::Idle => next_look.as_mut().await,
            }
        }
    }
}
