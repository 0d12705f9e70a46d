//! Processing of one due thread: reminders and expiry of its reviews, and takeover if it has no live runner.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{recover::RetryScope, sweep_event::SweepEvent};
use crate::{
    Error, ThreadId, ThreadStatus,
    engine::{
        Engine,
        exec::RunError,
        session::{ThreadWriter, load_lenient, reviews, thread_status},
    },
    journal::{Event, LaneId, LaneState, StopKind, graph_of},
    store::Tail,
};

/// The concurrency limits of sweeps. One pool limits the threads that are read. Threads with expired reviews and
/// threads that are taken over have a pool each, so that neither has to wait for the other.
pub(super) struct SweepPermits {
    pub(super) looks: Arc<Semaphore>,
    pub(super) deadlines: Arc<Semaphore>,
    pub(super) runs: Arc<Semaphore>,
    /// `true` if the runs after deadlines seem to hang: none has ended since a permit was last waited for in vain.
    pub(super) hang: AtomicBool,
}

impl SweepPermits {
    /// The time to wait for a free deadline permit. Most runs end at once, and waiting then saves an append: one entry
    /// records the expiry together with the runner's lease.
    const PATIENCE: Duration = Duration::from_secs(1);

    async fn deadline(&self) -> Option<OwnedSemaphorePermit> {
        let pool = Arc::clone(&self.deadlines);
        if self.hang.load(Ordering::SeqCst) {
            return pool.try_acquire_owned().ok();
        }
        match tokio::time::timeout(Self::PATIENCE, pool.acquire_owned()).await {
            Ok(permit) => permit.ok(),
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
pub(super) enum DueThreadOutcome {
    /// Nothing more is due for now.
    NothingDue,
    /// The thread must run, but all run permits are taken.
    NeedsPermit,
}

impl Engine {
    /// Processes a due thread. `look` is released before a node runs.
    pub(super) async fn process_due_thread(
        self: &Arc<Self>,
        thread: &ThreadId,
        look: OwnedSemaphorePermit,
        permits: &SweepPermits,
        noticed: &mut Vec<SweepEvent>,
    ) -> Result<DueThreadOutcome, Error> {
        loop {
            let Some(tail) = self.store.tail(thread).await? else {
                return Ok(DueThreadOutcome::NothingDue);
            };
            // Several graphs may share a store.
            let graph = tail.records.first().and_then(|record| graph_of(&record.body));
            if graph.is_none_or(|graph| graph != self.graph.spec.name) {
                return Ok(DueThreadOutcome::NothingDue);
            }
            self.authenticate_tail(thread, &tail).await?;
            let mut writer = match self.writer_from_tail(thread, &tail) {
                Err(error @ Error::UserCodeFailed { .. }) => {
                    return match self.give_up(thread, &tail, &error).await? {
                        Some(standing) => {
                            noticed.push(SweepEvent::Moved { thread: thread.clone(), standing });
                            Ok(DueThreadOutcome::NothingDue)
                        }
                        None => Err(error),
                    };
                }
                writer => writer?,
            };
            self.authenticate_signatures(&writer.fold, &tail).await?;
            if !self.remind(&mut writer, noticed).await? {
                continue;
            }
            let fold = &writer.fold;
            let mut events = self.expiries(fold)?;
            let needs_runner = fold.needs_runner() && !fold.is_leased(self.clock.now());
            if (needs_runner || !events.is_empty())
                && let Some(placed) = self.read_placed_stop().await?
                && placed.stop.kind == StopKind::Cancel
                && self.cancel_with(thread, &placed).await?
            {
                continue;
            }
            let orphaned = needs_runner && self.may_claim(fold);
            if events.is_empty() && !orphaned {
                return Ok(DueThreadOutcome::NothingDue);
            }
            let Some(writer) = self.append_surplus(writer, &mut events).await? else { continue };
            let permit = if events.is_empty() { permits.run() } else { permits.deadline().await };
            let Some(permit) = permit else {
                if events.is_empty() {
                    return Ok(DueThreadOutcome::NeedsPermit);
                }
                // Record the expiry all the same. Running on from there can wait.
                match self.append_only(writer, events).await {
                    Err(RunError::Error(error)) => return Err(error),
                    Err(_) => continue,
                    Ok(_) => {}
                }
                let standing = ThreadStatus::Running;
                noticed.push(SweepEvent::Moved { thread: thread.clone(), standing });
                return Ok(DueThreadOutcome::NeedsPermit);
            };
            if orphaned {
                events.push(Event::Renewed {});
            }
            drop(look);
            let ran = self.append_and_run(writer, events).await;
            drop(permit);
            permits.hang.store(false, Ordering::SeqCst);
            let standing = match ran {
                Ok(fold) => thread_status(&fold),
                Err(RunError::LeaseLost(_)) => ThreadStatus::Running,
                // Another writer was first. What is still due is processed without another wait for a permit.
                Err(RunError::Conflict(_)) => return self.retry_after_conflict(thread, noticed).await,
                Err(RunError::Error(error)) => return Err(error),
            };
            noticed.push(SweepEvent::Moved { thread: thread.clone(), standing });
            return Ok(DueThreadOutcome::NothingDue);
        }
    }

    /// Processes a thread again after another writer has appended to it in between.
    async fn retry_after_conflict(
        self: &Arc<Self>,
        thread: &ThreadId,
        noticed: &mut Vec<SweepEvent>,
    ) -> Result<DueThreadOutcome, Error> {
        let before = self.load_for_reading(thread).await?.next;
        self.take_up(thread, RetryScope::Orphans).await?;
        let after = self.load_for_reading(thread).await?;
        if before < after.next {
            noticed.push(SweepEvent::Moved { thread: thread.clone(), standing: thread_status(&after) });
        }
        Ok(DueThreadOutcome::NothingDue)
    }

    /// Records the reminders that are due, and reports them only after they are stored. Returns `false` on a conflict
    /// with another writer.
    async fn remind(
        self: &Arc<Self>,
        writer: &mut Box<ThreadWriter>,
        noticed: &mut Vec<SweepEvent>,
    ) -> Result<bool, Error> {
        let forgotten = self.forgotten(&writer.fold);
        // A live runner of other code could not continue with the entries that this program's conversion adds.
        let leased = writer.leased_until(self.clock.now()).is_some();
        let is_others = writer.is_pending() && leased;
        if forgotten.is_empty() || is_others {
            return Ok(true);
        }
        let waiting =
            reviews(&writer.fold).into_iter().filter(|review| forgotten.contains_key(&review.place));
        let waiting: Vec<_> = waiting.collect();
        for waiting in waiting.chunks(ThreadWriter::FULL_ENTRIES) {
            for review in waiting {
                if let Some((lane, open)) = forgotten.get(&review.place) {
                    writer.push(self.reminder(*lane, open))?;
                }
            }
            if !writer.flush(false).await? {
                return Ok(false);
            }
            noticed.extend(waiting.iter().cloned().map(|review| SweepEvent::Waits { review }));
        }
        Ok(true)
    }

    /// Ends the run of a thread that this program cannot read because its own code fails on it: running nodes are
    /// recorded as failed, and effects as in doubt unless they are idempotent. `resume` retries the thread once the
    /// code is fixed. Returns `None` if nothing ran, or if a live runner holds the thread.
    async fn give_up(
        self: &Arc<Self>,
        thread: &ThreadId,
        tail: &Tail,
        error: &Error,
    ) -> Result<Option<ThreadStatus>, Error> {
        let Error::UserCodeFailed { place, problem, .. } = error else { return Ok(None) };
        let mut fold = load_lenient(self.graph, thread, tail)?;
        let now = self.clock.now();
        let active = fold.lanes.iter().filter(|(_, lane)| lane.at.is_active());
        let active: Vec<(LaneId, LaneState)> = active.map(|(id, lane)| (*id, lane.at.clone())).collect();
        if active.is_empty() || !fold.runs() || fold.is_leased(now) {
            return Ok(None);
        }
        let mut events = Vec::with_capacity(active.len());
        for (lane, at) in active {
            let Some(activation) = at.activation() else { continue };
            let (node, error) = (activation.node.clone(), format!("the {place} {problem}"));
            events.push(match &at {
                LaneState::Began { key, .. } if !self.graph.is_idempotent(&node) => {
                    Event::InDoubt { node, lane, key: key.clone(), error }
                }
                _ => Event::Failed { node, lane, error, again: None, withheld: false },
            });
        }
        self.append_unconverted(&mut fold, events).await?;
        Ok(Some(thread_status(&fold)))
    }
}
