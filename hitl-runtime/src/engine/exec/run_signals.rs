//! Signals to a runner that another writer has appended to its thread, a verdict for example: at once if the writer is in
//! this process, and within half a second otherwise. A thread that has no runner is reported to [`WakeRunner`].

use std::{
    collections::HashMap,
    error::Error as StdError,
    future::pending,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, Either, select},
    stream::FuturesUnordered,
};
use tokio::{
    sync::watch::{Receiver, Sender},
    time::{Instant, Sleep, sleep, sleep_until},
};
use tracing::Instrument as _;

use super::attempt::FinishedAttempt;
use crate::{ThreadId, engine::Engine, journal::Fold};

/// A call that reaches a runner of a thread, so that it continues before its next sweep.
pub(crate) type WakeRunner =
    dyn Fn(ThreadId) -> BoxFuture<'static, Result<(), Box<dyn StdError + Send + Sync>>> + Send + Sync;

/// The runs of this process that other writers can act on, by thread. Shared by an agent, its clones and its fronts.
#[derive(Default)]
pub(in crate::engine) struct RunSignals(Mutex<HashMap<ThreadId, Runs>>);

/// The runs of one thread: more than one only while a thread is taken over.
#[derive(Default)]
struct Runs {
    count: usize,
    appended: Sender<()>,
}

impl RunSignals {
    /// Registers a run until the signal is dropped.
    pub(super) fn register(self: &Arc<Self>, thread: &ThreadId) -> RunSignal {
        let mut held = self.held();
        let runs = held.entry(thread.clone()).or_default();
        runs.count += 1;
        RunSignal { appended: runs.appended.subscribe(), thread: thread.clone(), signals: Arc::clone(self) }
    }

    fn send(&self, thread: &ThreadId) {
        if let Some(runs) = self.held().get(thread) {
            runs.appended.send_replace(());
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<ThreadId, Runs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The receiver of one run: another writer of this process has appended to its thread.
pub(super) struct RunSignal {
    appended: Receiver<()>,
    thread: ThreadId,
    signals: Arc<RunSignals>,
}

impl RunSignal {
    /// Forgets the entries before the one that the run reads next.
    pub(super) fn clear(&mut self) {
        self.appended.mark_unchanged();
    }
}

impl Drop for RunSignal {
    fn drop(&mut self) {
        let mut held = self.signals.held();
        if let Some(runs) = held.get_mut(&self.thread) {
            runs.count -= 1;
            if runs.count == 0 {
                held.remove(&self.thread);
            }
        }
    }
}

/// An event that a run continues with.
pub(super) enum Wakeup {
    /// A node has finished.
    Finished(Box<FinishedAttempt>),
    /// The lease must be renewed.
    Renewal,
    /// Another writer may have appended to the thread.
    Append,
}

/// The interval at which a run looks for entries of writers in other processes: each look reads at most one entry.
const LOOK: Duration = Duration::from_millis(500);

impl Engine {
    /// Waits until a node of a run finishes, its lease must be renewed, or another writer has appended to its thread. Only
    /// a run with a `signal` looks for other writers.
    pub(super) async fn next_wakeup(
        &self,
        fold: &Fold,
        running: &mut FuturesUnordered<BoxFuture<'_, FinishedAttempt>>,
        timer: &mut Option<Pin<Box<Sleep>>>,
        signal: Option<&mut RunSignal>,
    ) -> Wakeup {
        // Counted from the stored lease: however often another writer appends, the renewal is not put off. With a
        // millisecond more, which is what times are rounded to, the renewal is always due when it is appended.
        let left = fold.lease.as_ref().map(|lease| lease.until.saturating_since(self.clock.now()));
        let unused = self.lease - self.lease / 3;
        let wait = left.map_or(self.lease / 3, |left| left.saturating_sub(unused));
        let renewal = Instant::now() + wait + Duration::from_millis(1);
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(renewal)));
        timer.as_mut().reset(renewal);
        let append = pin!(async {
            match signal {
                Some(signal) => self.next_append(fold, signal).await,
                None => pending().await,
            }
        });
        match select(running.next(), select(append, timer.as_mut())).await {
            Either::Left((Some(finished), _)) => Wakeup::Finished(Box::new(finished)),
            Either::Left((None, _)) | Either::Right((Either::Left(_), _)) => Wakeup::Append,
            Either::Right((Either::Right(_), _)) => Wakeup::Renewal,
        }
    }

    /// Waits until another writer has appended to a thread.
    async fn next_append(&self, fold: &Fold, RunSignal { appended, .. }: &mut RunSignal) {
        loop {
            if let Either::Left((Ok(()), _)) = select(pin!(appended.changed()), pin!(sleep(LOOK))).await {
                return;
            }
            // A store that cannot be read now is read at the next look, and at the latest with the next append.
            let there = self.store.entries(&fold.thread, fold.next, 1).await;
            if there.is_ok_and(|entries| !entries.is_empty()) {
                return;
            }
        }
    }

    /// Tells the runner of a thread that this process has appended to it. If no runner has the thread and one must, a
    /// runner is woken in the background: if that fails, the next sweep of a runner finds the thread.
    pub(in crate::engine) fn tell_runner(&self, fold: &Fold) {
        self.run_signals.send(&fold.thread);
        let Some(wake) = &self.wake else { return };
        if fold.is_leased(self.clock.now()) || !fold.needs_runner() {
            return;
        }
        let (wake, thread) = (Arc::clone(wake), fold.thread.clone());
        let span = self.thread_span("wake", &thread);
        let runtime = tokio::runtime::Handle::try_current();
        let woken = async move {
            // The call is the user's code, and so is the error.
            let call = AssertUnwindSafe(async move { wake(thread).await.map_err(drop) });
            call.catch_unwind().await.is_ok_and(|end| end.is_ok())
        };
        let told = |is_woken: bool| {
            if !is_woken {
                tracing::warn!(target: "hitl::thread", "no runner was woken; a sweep continues the thread");
            }
        };
        match runtime {
            Ok(runtime) => drop(runtime.spawn(woken.map(told).instrument(span))),
            Err(_) => span.in_scope(|| told(false)),
        }
    }
}
