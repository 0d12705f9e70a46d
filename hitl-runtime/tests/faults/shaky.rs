//! A store in front of another one, with scripted failures.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use hitl::{
    OpenReview, Page, Place, Standing, Store, StoreError, ThreadId,
    store::{Append, Record, Tail},
};
use tokio::sync::Notify;

/// The outcome of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Works,
    /// It fails; nothing is stored.
    Fails,
    /// It fails permanently; nothing is stored.
    Refuses,
    /// It is stored, and the caller gets an error.
    LosesTheAnswer,
}

/// A store with scripted failures. Clones share the script.
#[derive(Clone)]
pub struct Shaky<S> {
    store: S,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The outcomes of the next appends. Once the queue is empty, every append works.
    appends: Mutex<VecDeque<Fate>>,
    tails: Mutex<VecDeque<Fate>>,
    failed: Notify,
}

impl<S> Shaky<S> {
    pub fn new(store: S) -> Self {
        Self { store, shared: Arc::default() }
    }

    /// Adds outcomes for the next appends.
    pub fn appends(&self, fates: impl IntoIterator<Item = Fate>) {
        self.shared.appends.lock().unwrap().extend(fates);
    }

    /// Adds outcomes for the next reads of a tail.
    pub fn tails(&self, fates: impl IntoIterator<Item = Fate>) {
        self.shared.tails.lock().unwrap().extend(fates);
    }

    /// Returns whether the whole script has been played.
    pub fn is_over(&self) -> bool {
        self.shared.appends.lock().unwrap().is_empty() && self.shared.tails.lock().unwrap().is_empty()
    }

    /// Waits for the next failed call, whether the failure was scripted or is the store's own.
    pub async fn failed(&self) {
        self.shared.failed.notified().await;
    }

    fn fail(&self) -> StoreError {
        self.shared.failed.notify_one();
        StoreError::Failed { location: "the shaky store".into(), problem: "try again".into(), source: None }
    }
}

fn refusal() -> StoreError {
    StoreError::FromTheFuture { location: "the shaky store".into(), found: 2, known: 1 }
}

fn next(fates: &Mutex<VecDeque<Fate>>) -> Fate {
    fates.lock().unwrap().pop_front().unwrap_or(Fate::Works)
}

impl<S: Store> Store for Shaky<S> {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            match next(&self.shared.appends) {
                Fate::Works => {
                    self.store.append(append).await.inspect_err(|_| self.shared.failed.notify_one())
                }
                Fate::Fails => Err(self.fail()),
                Fate::Refuses => Err(refusal()),
                Fate::LosesTheAnswer => {
                    self.store.append(append).await?;
                    Err(self.fail())
                }
            }
        })
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        match next(&self.shared.tails) {
            Fate::Works => self.store.tail(thread),
            Fate::Refuses => Box::pin(async { Err(refusal()) }),
            Fate::Fails | Fate::LosesTheAnswer => Box::pin(async { Err(self.fail()) }),
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
        standing: Option<Standing>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, Standing)>, StoreError>> {
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
