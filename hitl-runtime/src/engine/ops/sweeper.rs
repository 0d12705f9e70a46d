//! The scheduler of sweeps: it queries the index until no more threads are due, and processes them with bounded
//! concurrency.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    pin::Pin,
    sync::{Arc, atomic::AtomicBool},
    task::{Context, Poll},
};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::{sync::Semaphore, time::Sleep};
use tracing::Instrument as _;

use super::{
    due_thread::{DueThreadOutcome, SweepPermits},
    sweep_event::SweepEvent,
};
use crate::{
    Error, Page, StoreError, ThreadId, Timestamp,
    engine::{Engine, exec::finish},
    user_code::contain_panics,
};

/// The largest numbers of threads that are read at the same time, that run because a review expired, and that run
/// because they had no live runner.
const LOOKS: usize = 16;
const DEADLINES: usize = 16;
const RUNS: usize = 16;

/// The page size of index queries.
const PAGE: usize = 64;

/// The capacity of the queue of threads that wait for a permit to run. The index keeps the others.
const WAITING: usize = 1_024;

/// The largest number of failing threads that are remembered, and the largest number of passes before one is retried.
const RESTING: usize = 4_096;
const LONGEST_REST: u64 = 64;

/// Processes due threads, pass by pass. One pass queries the index page by page until no more threads are due.
pub(super) struct Sweeper<'a> {
    engine: Arc<Engine>,
    /// Selects the threads that are processed. Others are left to other processes.
    is_selected: &'a (dyn Fn(&ThreadId) -> bool + Send + Sync),
    permits: Arc<SweepPermits>,
    rounds: FuturesUnordered<BoxFuture<'static, ProcessedThread>>,
    /// Threads that the index listed and that are not read yet.
    named: VecDeque<ThreadId>,
    /// Threads that wait for a permit to run.
    waiting: VecDeque<ThreadId>,
    /// Threads from `waiting` that are being read again.
    again: BTreeSet<ThreadId>,
    /// All of the above, and the threads that are being processed.
    busy: BTreeSet<ThreadId>,
    /// `true` if more threads wait for a permit than `waiting` can hold.
    more: bool,
    resting: BTreeMap<ThreadId, Backoff>,
    looks: u64,
    /// The position of the current pass.
    look: Option<Pass>,
    asking: Option<BoxFuture<'static, QueryResult>>,
}

/// A pass in progress.
struct Pass {
    by: Option<Timestamp>,
    after: Option<String>,
}

/// The result of a store query.
enum QueryResult {
    Due(Result<Page<ThreadId>, StoreError>),
    /// Threads whose lease may have been set by a clock that is ahead.
    FarAhead(Result<Vec<ThreadId>, Error>),
}

struct ProcessedThread {
    thread: ThreadId,
    noticed: Vec<SweepEvent>,
    end: Result<DueThreadOutcome, Error>,
}

/// A thread that failed `failures` times in a row, and is skipped in the passes before `until`.
struct Backoff {
    failures: u32,
    until: u64,
}

/// The result of one wait.
pub(super) enum Step {
    Events(Vec<Result<SweepEvent, Error>>),
    /// The timer has fired.
    Timer,
    /// Nothing is in progress.
    Idle,
}

impl<'a> Sweeper<'a> {
    pub(super) fn new(
        engine: &Arc<Engine>,
        is_selected: &'a (dyn Fn(&ThreadId) -> bool + Send + Sync),
    ) -> Self {
        let permits = |count| Arc::new(Semaphore::new(count));
        let (looks, deadlines, runs) = (permits(LOOKS), permits(DEADLINES), permits(RUNS));
        let permits = SweepPermits { looks, deadlines, runs, hang: AtomicBool::new(false) };
        Self {
            engine: Arc::clone(engine),
            is_selected,
            permits: Arc::new(permits),
            rounds: FuturesUnordered::new(),
            named: VecDeque::new(),
            waiting: VecDeque::new(),
            again: BTreeSet::new(),
            busy: BTreeSet::new(),
            more: false,
            resting: BTreeMap::new(),
            looks: 0,
            look: None,
            asking: None,
        }
    }

    /// Begins a pass, unless one is in progress. It covers threads that are due by the given time, or, with `None`, by
    /// the time at which each page is requested.
    pub(super) fn look(&mut self, by: Option<Timestamp>) {
        if self.look.is_none() {
            (self.looks, self.more) = (self.looks + 1, false);
            self.look = Some(Pass { by, after: None });
        }
    }

    /// Makes progress until there is an event to report, nothing is left to do, or the timer fires.
    pub(super) async fn next(&mut self, mut timer: Option<Pin<&mut Sleep>>) -> Step {
        std::future::poll_fn(|cx| self.poll(cx, timer.as_mut().map(|timer| timer.as_mut()))).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, timer: Option<Pin<&mut Sleep>>) -> Poll<Step> {
        loop {
            if let Some(asking) = &mut self.asking
                && let Poll::Ready(asked) = asking.poll_unpin(cx)
            {
                self.asking = None;
                if let Err(error) = self.answered(asked) {
                    return Poll::Ready(Step::Events(vec![Err(error)]));
                }
                // The result may have started another query, which must be polled.
                continue;
            }
            let begun = self.begin();
            if let Poll::Ready(Some(round)) = self.rounds.poll_next_unpin(cx) {
                let told = self.ended(round);
                if !told.is_empty() {
                    return Poll::Ready(Step::Events(told));
                }
                continue;
            }
            // A poll of the rounds may have released a permit. A new query must be polled once to be woken.
            if begun || self.can_begin() || self.asks() {
                continue;
            }
            if let Some(timer) = timer
                && timer.poll(cx).is_ready()
            {
                return Poll::Ready(Step::Timer);
            }
            if self.rounds.is_empty() && self.asking.is_none() {
                return Poll::Ready(Step::Idle);
            }
            return Poll::Pending;
        }
    }

    /// Requests the next page from the index if few threads of the last one are left. Returns `true` if a request was
    /// made.
    fn asks(&mut self) -> bool {
        if self.asking.is_some() || self.named.len() >= LOOKS {
            return false;
        }
        if self.look.is_none() {
            if !self.more || !self.waiting.is_empty() {
                return false;
            }
            // Query the threads again that `waiting` could not hold.
            self.look(None);
        }
        let Some(look) = &self.look else { return false };
        let (engine, after) = (Arc::clone(&self.engine), look.after.clone());
        let by = look.by.unwrap_or_else(|| engine.now());
        self.asking =
            Some(Box::pin(
                async move { QueryResult::Due(engine.store.due(by, after.as_deref(), PAGE).await) },
            ));
        true
    }

    fn answered(&mut self, asked: QueryResult) -> Result<(), Error> {
        let found = match asked {
            QueryResult::Due(Ok(page)) => {
                match (page.next, &mut self.look) {
                    (Some(next), Some(look)) => look.after = Some(next),
                    _ => {
                        self.look = None;
                        let engine = Arc::clone(&self.engine);
                        self.asking =
                            Some(Box::pin(async move { QueryResult::FarAhead(engine.far_ahead().await) }));
                    }
                }
                page.items
            }
            QueryResult::FarAhead(found) => found?,
            QueryResult::Due(Err(error)) => {
                self.look = None;
                return Err(error.into());
            }
        };
        for thread in found {
            let rests = self.resting.get(&thread).is_some_and(|rest| self.looks < rest.until);
            if !rests && (self.is_selected)(&thread) && self.busy.insert(thread.clone()) {
                self.named.push_back(thread);
            }
        }
        Ok(())
    }

    /// Returns whether a thread can be read now. One that waits to run needs a free run permit.
    fn can_begin(&self) -> bool {
        let wanted = !self.named.is_empty() || self.can_try_again();
        wanted && self.permits.looks.available_permits() > 0
    }

    fn can_try_again(&self) -> bool {
        !self.waiting.is_empty() && self.again.len() < self.permits.runs.available_permits()
    }

    /// Begins as many rounds as the permits allow. Waiting threads come first.
    fn begin(&mut self) -> bool {
        let mut begun = false;
        while let Ok(look) = Arc::clone(&self.permits.looks).try_acquire_owned() {
            let thread = if self.can_try_again() {
                let thread = self.waiting.pop_front();
                self.again.extend(thread.clone());
                thread
            } else {
                self.named.pop_front()
            };
            let Some(thread) = thread else { break };
            let (engine, permits) = (Arc::clone(&self.engine), Arc::clone(&self.permits));
            let span = engine.thread_span("sweep", &thread);
            let round = async move {
                let mut noticed = Vec::new();
                let end =
                    contain_panics(&thread, engine.process_due_thread(&thread, look, &permits, &mut noticed))
                        .await;
                ProcessedThread { thread, noticed, end }
            };
            self.rounds.push(Box::pin(finish(round.instrument(span))));
            begun = true;
        }
        begun
    }

    fn ended(
        &mut self,
        ProcessedThread { thread, noticed, end }: ProcessedThread,
    ) -> Vec<Result<SweepEvent, Error>> {
        let waited = self.again.remove(&thread);
        let mut told: Vec<_> = noticed.into_iter().map(Ok).collect();
        match end {
            Ok(DueThreadOutcome::NeedsPermit) if waited => self.waiting.push_front(thread),
            Ok(DueThreadOutcome::NeedsPermit) if self.waiting.len() < WAITING => {
                self.waiting.push_back(thread)
            }
            Ok(end) => {
                self.more |= end == DueThreadOutcome::NeedsPermit;
                self.busy.remove(&thread);
                self.resting.remove(&thread);
            }
            Err(error) => {
                self.busy.remove(&thread);
                self.rest(&thread);
                told.push(Ok(SweepEvent::Refused { thread, error }));
            }
        }
        told
    }

    /// Schedules the retry of a thread that could not be processed: 1 pass later, then 2, 4 and so on up to
    /// [`LONGEST_REST`] passes later.
    fn rest(&mut self, thread: &ThreadId) {
        if !self.resting.contains_key(thread) && self.resting.len() >= RESTING {
            self.resting.pop_first();
        }
        let rest = self.resting.entry(thread.clone()).or_insert(Backoff { failures: 0, until: 0 });
        rest.until = self.looks + (1 << rest.failures.min(6)).min(LONGEST_REST);
        rest.failures += 1;
    }
}
