//! Processing of one due thread: reminders and expiry of its reviews, and takeover if it has no live runner.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Agent, Graph, Noticed,
    drive::Stopped,
    post::{Post, reviews, standing},
    route,
    start::Anew,
};
use crate::{
    Error, OpenReview, Standing, ThreadId,
    journal::{Act, At, Entry, Event, LaneId, Written, graph_of},
    run::{post::due_ms, refused::loose},
    store::{Append, Record, Tail},
};

/// The concurrency limits of sweeps. One pool limits the threads that are read. Threads with expired reviews and
/// threads that are taken over have a pool each, so that neither has to wait for the other.
pub(super) struct Slots {
    pub(super) looks: Arc<Semaphore>,
    pub(super) deadlines: Arc<Semaphore>,
    pub(super) runs: Arc<Semaphore>,
    /// `true` if the runs after deadlines seem to hang: none has ended since a slot was last waited for in vain.
    pub(super) hang: AtomicBool,
}

impl Slots {
    /// The time to wait for a free deadline slot. Most runs end at once, and waiting then saves an append: one entry
    /// records the expiry together with the runner's lease.
    const PATIENCE: Duration = Duration::from_secs(1);

    async fn deadline(&self) -> Option<OwnedSemaphorePermit> {
        let slot = Arc::clone(&self.deadlines);
        if self.hang.load(Ordering::SeqCst) {
            return slot.try_acquire_owned().ok();
        }
        match tokio::time::timeout(Self::PATIENCE, slot.acquire_owned()).await {
            Ok(slot) => slot.ok(),
            Err(_) => {
                self.hang.store(true, Ordering::SeqCst);
                None
            }
        }
    }

    fn run(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.runs).try_acquire_owned().ok()
    }
}

/// The result of processing one thread.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tended {
    /// Nothing more is due for now.
    Rests,
    /// The thread must run, but all run slots are taken.
    WantsSlot,
}

impl<G: Graph> Agent<G> {
    /// Processes a due thread. `look` is released before a node runs.
    pub(super) async fn tend(
        &self,
        thread: &ThreadId,
        look: OwnedSemaphorePermit,
        slots: &Slots,
        noticed: &mut Vec<Noticed>,
    ) -> Result<Tended, Error> {
        loop {
            let Some(tail) = self.inner.store.tail(thread).await? else { return Ok(Tended::Rests) };
            // Several graphs may share a store.
            let graph = tail.records.first().and_then(|record| graph_of(&record.body));
            if graph.is_none_or(|graph| graph != G::SPEC.name) {
                return Ok(Tended::Rests);
            }
            self.authenticate_tail(thread, &tail).await?;
            let mut post = match self.post_of(thread, &tail) {
                Err(error @ Error::UserCodeFailed { .. }) => {
                    return match self.give_up(thread, &tail, &error).await? {
                        Some(standing) => {
                            noticed.push(Noticed::Moved { thread: thread.clone(), standing });
                            Ok(Tended::Rests)
                        }
                        None => Err(error),
                    };
                }
                post => post?,
            };
            self.authenticate_signatures(&post.fold, &tail).await?;
            if !self.bring_up(&mut post, noticed).await? {
                continue;
            }
            let fold = &post.fold;
            let leased = fold.is_leased(self.inner.clock.now_ms());
            let orphaned = !leased && fold.runs();
            let overdue = self.overdue(fold)?;
            let mut events =
                overdue.iter().map(|found| self.expiry(fold, found)).collect::<Result<Vec<_>, _>>()?;
            if events.is_empty() && !orphaned {
                return Ok(Tended::Rests);
            }
            let slot = if events.is_empty() { slots.run() } else { slots.deadline().await };
            let Some(slot) = slot else {
                if events.is_empty() {
                    return Ok(Tended::WantsSlot);
                }
                // Record the expiry all the same. Running on from there can wait.
                if self.append_unclaimed(post, events).await? {
                    let standing = Standing::Running;
                    noticed.push(Noticed::Moved { thread: thread.clone(), standing });
                    return Ok(Tended::WantsSlot);
                }
                continue;
            };
            if orphaned {
                events.push(Event::Renewed {});
            }
            drop(look);
            let ran = self.append_and_run(post, events).await;
            drop(slot);
            slots.hang.store(false, Ordering::SeqCst);
            let standing = match ran {
                Ok(fold) => standing(&fold),
                Err(Stopped::Overtaken(_)) => Standing::Running,
                // Another writer was first. What is still due is processed without another wait for a slot.
                Err(Stopped::Taken(_)) => return self.take_up_again(thread, noticed).await,
                Err(Stopped::Error(error)) => return Err(error),
            };
            noticed.push(Noticed::Moved { thread: thread.clone(), standing });
            return Ok(Tended::Rests);
        }
    }

    /// Processes a thread again after another writer has appended to it in between.
    async fn take_up_again(&self, thread: &ThreadId, noticed: &mut Vec<Noticed>) -> Result<Tended, Error> {
        let before = self.known(thread).await?.next;
        self.take_up(thread, Anew::Orphans).await?;
        let after = self.known(thread).await?;
        if before < after.next {
            noticed.push(Noticed::Moved { thread: thread.clone(), standing: standing(&after) });
        }
        Ok(Tended::Rests)
    }

    /// Records the reminders that are due, and reports them only after they are stored. Returns `false` on a conflict
    /// with another writer.
    async fn bring_up(&self, post: &mut Box<Post<G>>, noticed: &mut Vec<Noticed>) -> Result<bool, Error> {
        let forgotten = self.forgotten(&post.fold);
        // A live runner of other code could not continue with the entries that this program's conversion adds.
        let leased = post.leased_until_ms(self.inner.clock.now_ms()).is_some();
        let is_others = post.is_pending() && leased;
        if forgotten.is_empty() || is_others {
            return Ok(true);
        }
        let is_forgotten = |review: &OpenReview| forgotten.iter().any(|(_, open)| open.place == review.place);
        let waiting = reviews(&post.fold).into_iter().filter(is_forgotten);
        let waiting: Vec<_> = waiting.map(|review| Noticed::Waits { review }).collect();
        for (lane, open) in &forgotten {
            post.push(self.reminder(*lane, open))?;
        }
        let stored = post.flush(false).await?;
        if stored {
            noticed.extend(waiting);
        }
        Ok(stored)
    }

    /// Appends events to a thread without claiming it.
    async fn append_unclaimed(
        &self,
        mut post: Box<Post<G>>,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<bool, Error> {
        let leased = post.leased_until_ms(self.inner.clock.now_ms());
        if let Some(until_ms) = leased.filter(|_| post.is_pending()) {
            let thread = post.fold.thread.clone();
            return Err(Error::OtherCode { thread, until_ms });
        }
        for event in events {
            post.push(event)?;
        }
        post.flush(false).await
    }

    /// Ends the run of a thread that this program cannot read because its own code fails on it: running nodes are
    /// recorded as failed, and effects as in doubt unless they are idempotent. `resume` retries the thread once the
    /// code is fixed. Returns `None` if nothing ran, or if a live runner holds the thread.
    async fn give_up(
        &self,
        thread: &ThreadId,
        tail: &Tail,
        error: &Error,
    ) -> Result<Option<Standing>, Error> {
        let Error::UserCodeFailed { place, problem, .. } = error else { return Ok(None) };
        let mut fold = loose::<G>(thread, tail)?;
        let now = self.inner.clock.now_ms();
        let active = fold.lanes.iter().filter(|(_, lane)| lane.at.is_active());
        let active: Vec<(LaneId, At)> = active.map(|(id, lane)| (*id, lane.at.clone())).collect();
        if active.is_empty() || !fold.runs() || fold.is_leased(now) {
            return Ok(None);
        }
        let (after, mut records) = (fold.hash, Vec::new());
        for (lane, at) in active {
            let Some(visit) = at.visit() else { continue };
            let (node, error) = (visit.node.clone(), format!("the {place} {problem}"));
            let event = match &at {
                At::Began { key, .. } if !route::is_idempotent::<G>(&node) => {
                    Event::InDoubt { node, lane, key: key.clone(), error }
                }
                _ => Event::Failed { node, lane, error, again_ms: None },
            };
            let entry = Entry { at_ms: now, event, lease: None, spent: Vec::new(), snapshot: None };
            let place = fold.next;
            let damaged = |problem: String| Error::Damaged { thread: thread.clone(), place, problem };
            fold.apply(&entry).map_err(|e| damaged(e.to_string()))?;
            let body = serde_json::to_vec(&Written::from(&entry)).map_err(|e| damaged(e.to_string()))?;
            let record = Record { place, hash: fold.hash, body, snapshot: false };
            records.push(self.link(&mut fold, Act::of(&entry.event), record).await?);
            fold.next = place + 1;
        }
        let append = Append {
            thread: thread.clone(),
            records,
            standing: standing(&fold),
            reviews: reviews(&fold),
            due_ms: due_ms(&fold),
            after: Some(after),
        };
        self.inner.store.append(append).await?;
        Ok(Some(standing(&fold)))
    }
}
