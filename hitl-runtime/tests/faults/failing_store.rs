//! A store in front of another one, with scripted failures.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use hitl::{
    OpenReview, Page, Place, Store, StoreError, ThreadId, ThreadStatus,
    store::{Append, Record, Tail},
};
use tokio::sync::Notify;

/// The outcome of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallOutcome {
    Success,
    /// It fails; nothing is stored.
    Failure,
    /// It fails permanently; nothing is stored.
    PermanentFailure,
    /// It is stored, and the caller gets an error.
    ResponseLost,
}

/// A store with scripted failures. Clones share the script.
#[derive(Clone)]
pub struct FailingStore<S> {
    store: S,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The outcomes of the next appends. Once the queue is empty, every append works.
    appends: Mutex<VecDeque<CallOutcome>>,
    tails: Mutex<VecDeque<CallOutcome>>,
    failed: Notify,
}

impl<S> FailingStore<S> {
    pub fn new(store: S) -> Self {
        Self { store, shared: Arc::default() }
    }

    /// Adds outcomes for the next appends.
    pub fn appends(&self, outcomes: impl IntoIterator<Item = CallOutcome>) {
        self.shared.appends.lock().unwrap().extend(outcomes);
    }

    /// Adds outcomes for the next reads of a tail.
    pub fn tails(&self, outcomes: impl IntoIterator<Item = CallOutcome>) {
        self.shared.tails.lock().unwrap().extend(outcomes);
    }

    /// Returns whether the whole script has been played.
    pub fn is_exhausted(&self) -> bool {
        self.shared.appends.lock().unwrap().is_empty() && self.shared.tails.lock().unwrap().is_empty()
    }

    /// Waits for the next failed call, whether the failure was scripted or is the store's own.
    pub async fn failed(&self) {
        self.shared.failed.notified().await;
    }

    fn fail(&self) -> StoreError {
        self.shared.failed.notify_one();
        StoreError::Failed { location: "the failing store".into(), problem: "try again".into(), source: None }
    }
}

fn rejection() -> StoreError {
    StoreError::NewerSchema { location: "the failing store".into(), found: 2, known: 1 }
}

fn next(outcomes: &Mutex<VecDeque<CallOutcome>>) -> CallOutcome {
    outcomes.lock().unwrap().pop_front().unwrap_or(CallOutcome::Success)
}

impl<S: Store> Store for FailingStore<S> {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            match next(&self.shared.appends) {
                CallOutcome::Success => {
                    self.store.append(append).await.inspect_err(|_| self.shared.failed.notify_one())
                }
                CallOutcome::Failure => Err(self.fail()),
                CallOutcome::PermanentFailure => Err(rejection()),
                CallOutcome::ResponseLost => {
                    self.store.append(append).await?;
                    Err(self.fail())
                }
            }
        })
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        match next(&self.shared.tails) {
            CallOutcome::Success => self.store.tail(thread),
            CallOutcome::PermanentFailure => Box::pin(async { Err(rejection()) }),
            CallOutcome::Failure | CallOutcome::ResponseLost => Box::pin(async { Err(self.fail()) }),
        }
    }

    fn entries<'a>(
        &'a self,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        self.store.entries(thread, from, limit)
    }

    fn reviews<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>> {
        self.store.reviews(after, limit)
    }

    fn threads<'a>(
        &'a self,
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, ThreadStatus)>, StoreError>> {
        self.store.threads(standing, after, limit)
    }

    fn due<'a>(
        &'a self,
        by_ms: u64,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        self.store.due(by_ms, after, limit)
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.delete(thread)
    }
}
