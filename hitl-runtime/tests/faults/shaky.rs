//! A store in front of another one, which fails as a script says.

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

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Works,
    /// Nothing is stored.
    Fails,
    /// Nothing is stored, and never will be.
    Refuses,
    /// It is stored, and its caller is told that it failed.
    LosesTheAnswer,
}

/// A clone shares the script.
#[derive(Clone)]
pub struct Shaky<S> {
    store: S,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Once it is over, everything works.
    appends: Mutex<VecDeque<Fate>>,
    tails: Mutex<VecDeque<Fate>>,
    failed: Notify,
}

impl<S> Shaky<S> {
    pub fn new(store: S) -> Self {
        Self { store, shared: Arc::default() }
    }

    /// What becomes of the next appends.
    pub fn appends(&self, fates: impl IntoIterator<Item = Fate>) {
        self.shared.appends.lock().unwrap().extend(fates);
    }

    /// What becomes of the next reads of a tail.
    pub fn tails(&self, fates: impl IntoIterator<Item = Fate>) {
        self.shared.tails.lock().unwrap().extend(fates);
    }

    /// Whether everything in the script has come true.
    pub fn is_over(&self) -> bool {
        self.shared.appends.lock().unwrap().is_empty() && self.shared.tails.lock().unwrap().is_empty()
    }

    /// Returns when a call has failed, once for each, whether the script said so or the store itself.
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
