//! A store with scripted failures.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hitl_core::{
    ThreadId,
    store::{Append, BoxFuture, LayeredStore, Store, StoreError, StoreLayer, Tail},
};
use tokio::sync::Notify;

/// A store with [`Faults`] in front.
pub type FailingStore<S> = LayeredStore<S, Faults>;

/// The outcome of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// The store is called.
    Success,
    /// The call fails with [`StoreError::Failed`], and nothing is stored. A retry may succeed.
    Failure,
    /// The call fails with an error that is not retried, and nothing is stored.
    PermanentFailure,
    /// The store is called, and the caller gets [`StoreError::Failed`]: the response is lost.
    ResponseLost,
}

/// Scripted failures of a store. Clones share the script.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{Store, ThreadId, store::MemoryStore, testkit::{CallOutcome, FailingStore, Faults}};
///
/// let store = FailingStore::new(MemoryStore::new(), Faults::default());
/// store.layer().tails([CallOutcome::Failure]);
/// let thread = ThreadId::new("ticket-A-9133")?;
/// assert!(store.tail(&thread).await.is_err());
/// assert!(store.tail(&thread).await.is_ok() && store.layer().is_exhausted());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Script>);

#[derive(Debug, Default)]
struct Script {
    appends: Mutex<VecDeque<CallOutcome>>,
    tails: Mutex<VecDeque<CallOutcome>>,
    failed: Notify,
}

impl Faults {
    /// Adds outcomes for the next appends. After the last one, appends succeed.
    pub fn appends(&self, outcomes: impl IntoIterator<Item = CallOutcome>) {
        lock(&self.0.appends).extend(outcomes);
    }

    /// Adds outcomes for the next reads of a tail. After the last one, reads succeed.
    pub fn tails(&self, outcomes: impl IntoIterator<Item = CallOutcome>) {
        lock(&self.0.tails).extend(outcomes);
    }

    /// Returns whether the whole script has been played.
    pub fn is_exhausted(&self) -> bool {
        lock(&self.0.appends).is_empty() && lock(&self.0.tails).is_empty()
    }

    /// Waits for the next failed call, whether the failure is scripted or the store's own.
    pub async fn failed(&self) {
        self.0.failed.notified().await;
    }

    /// Wakes [`failed`](Self::failed) if the result is an error.
    fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.inspect_err(|_| self.0.failed.notify_one())
    }
}

fn failure() -> StoreError {
    StoreError::Failed { location: "the failing store".into(), problem: "try again".into(), source: None }
}

fn lock(outcomes: &Mutex<VecDeque<CallOutcome>>) -> MutexGuard<'_, VecDeque<CallOutcome>> {
    outcomes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next(outcomes: &Mutex<VecDeque<CallOutcome>>) -> CallOutcome {
    lock(outcomes).pop_front().unwrap_or(CallOutcome::Success)
}

fn rejection() -> StoreError {
    StoreError::NewerSchema { location: "the failing store".into(), found: 2, known: 1 }
}

impl StoreLayer for Faults {
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.noted(match next(&self.0.appends) {
                CallOutcome::Success => store.append(append).await,
                CallOutcome::Failure => Err(failure()),
                CallOutcome::PermanentFailure => Err(rejection()),
                CallOutcome::ResponseLost => store.append(append).await.and_then(|()| Err(failure())),
            })
        })
    }

    /// Returns `true`: the layer changes no data.
    fn passes_tallies(&self) -> bool {
        true
    }

    /// Returns `true`: a retry after a scripted failure may succeed.
    fn should_retry_appends(&self, _: &dyn Store) -> bool {
        true
    }

    fn tail<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
    ) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        Box::pin(async move {
            self.noted(match next(&self.0.tails) {
                CallOutcome::Success => store.tail(thread).await,
                CallOutcome::Failure => Err(failure()),
                CallOutcome::PermanentFailure => Err(rejection()),
                CallOutcome::ResponseLost => store.tail(thread).await.and_then(|_| Err(failure())),
            })
        })
    }
}
