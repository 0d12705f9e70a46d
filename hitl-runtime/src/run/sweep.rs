//! Looking after threads that nobody looks after: of processes that died, of reviews that nobody decides.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, Either, select},
    stream::FuturesUnordered,
};

use super::{Agent, Graph, detach, post::reviews, start::Anew};
use crate::{Error, OpenReview, Place, ThreadId, journal::graph_of};

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
///         Noticed::Moved { thread } => println!("{thread} goes on"),
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
    },
    /// A review is open for as long as `remind` says, or for as long again: somebody should be told. The journal says
    /// that it was brought up, so one sweep of all is given it.
    Waits {
        /// The review.
        review: OpenReview,
    },
    /// A thread is due, and cannot be taken up by this program.
    Refused {
        /// The thread.
        thread: ThreadId,
        /// Why not.
        error: Error,
    },
}

impl<G: Graph> Agent<G> {
    /// How many threads are looked after at once.
    const AT_ONCE: usize = 16;

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
        let by_ms = self.inner.clock.now_ms();
        let (mut noticed, mut after) = (Vec::new(), None::<String>);
        let mut rounds = FuturesUnordered::new();
        loop {
            let page = self.inner.store.due(by_ms, after.as_deref(), Self::AT_ONCE).await?;
            rounds.extend(page.items.into_iter().map(|thread| self.round(thread)));
            while rounds.len() >= Self::AT_ONCE || page.next.is_none() {
                match rounds.next().await {
                    Some((_, of_thread)) => noticed.extend(of_thread),
                    None => return Ok(noticed),
                }
            }
            after = page.next;
        }
    }

    /// Sweeps now and then every so often, for as long as it is polled, and tells what it comes upon. A thread that
    /// runs for long holds up no other.
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
        let (mut busy, mut after) = (BTreeSet::new(), None::<String>);
        let mut rounds: FuturesUnordered<BoxFuture<'_, (ThreadId, Vec<Noticed>)>> = FuturesUnordered::new();
        let mut next_look = Box::pin(tokio::time::sleep(Duration::ZERO));
        loop {
            let done = match select(rounds.next(), &mut next_look).await {
                Either::Left((Some(done), _)) => Some(done),
                // Nothing is under way.
                Either::Left((None, sleep)) => {
                    sleep.await;
                    None
                }
                Either::Right(_) => None,
            };
            if let Some((thread, noticed)) = done {
                busy.remove(&thread);
                noticed.into_iter().for_each(|noticed| tell(Ok(noticed)));
                continue;
            }
            // On from where the last look ended: those that this program cannot take up stay due, and must not stand
            // in the way of others.
            while busy.len() < Self::AT_ONCE {
                let now = self.inner.clock.now_ms();
                match self.inner.store.due(now, after.as_deref(), Self::AT_ONCE - busy.len()).await {
                    Ok(page) => {
                        after = page.next;
                        for thread in page.items {
                            if busy.insert(thread.clone()) {
                                rounds.push(self.round(thread).boxed());
                            }
                        }
                    }
                    Err(error) => {
                        after = None;
                        tell(Err(error.into()));
                    }
                }
                if after.is_none() {
                    break;
                }
            }
            next_look.set(tokio::time::sleep(every));
        }
    }

    /// Looks after one thread, and says what came of it.
    async fn round(&self, thread: ThreadId) -> (ThreadId, Vec<Noticed>) {
        let (agent, at) = (self.clone(), thread.clone());
        let looked_after = detach::finish(async move { agent.look_after(&at).await }).await;
        let noticed =
            looked_after.unwrap_or_else(|error| vec![Noticed::Refused { thread: thread.clone(), error }]);
        (thread, noticed)
    }

    async fn look_after(&self, thread: &ThreadId) -> Result<Vec<Noticed>, Error> {
        // Several graphs may share a store.
        if !self.is_ours(thread).await? {
            return Ok(Vec::new());
        }
        let (before, mut noticed) = self.bring_up(thread).await?;
        self.take_up(thread, Anew::Orphans).await?;
        if before < self.known(thread).await?.next {
            noticed.push(Noticed::Moved { thread: thread.clone() });
        }
        Ok(noticed)
    }

    /// Writes down which reviews are brought up again, and only then tells of them.
    async fn bring_up(&self, thread: &ThreadId) -> Result<(Place, Vec<Noticed>), Error> {
        loop {
            let mut post = self.post(thread).await?;
            let forgotten = self.forgotten(&post.fold);
            // A runner of other code could not go on with what this program makes of the thread.
            let is_others = post.is_pending() && post.fold.is_leased(self.inner.clock.now_ms());
            if forgotten.is_empty() || is_others {
                return Ok((post.seen().next, Vec::new()));
            }
            let is_forgotten =
                |review: &OpenReview| forgotten.iter().any(|(_, open)| open.place == review.place);
            let reviews = reviews(&post.fold).into_iter().filter(is_forgotten);
            let noticed = reviews.map(|review| Noticed::Waits { review }).collect();
            for (lane, open) in &forgotten {
                post.push(self.reminder(*lane, open))?;
            }
            if post.flush(false).await? {
                return Ok((post.fold.next, noticed));
            }
        }
    }

    /// Whether a thread runs on this graph. One that is gone does not.
    async fn is_ours(&self, thread: &ThreadId) -> Result<bool, Error> {
        let tail = self.inner.store.tail(thread).await?.unwrap_or_default();
        let graph = tail.records.first().and_then(|record| graph_of(&record.body));
        Ok(graph.is_some_and(|graph| graph == G::SPEC.name))
    }
}
