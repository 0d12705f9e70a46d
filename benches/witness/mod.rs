//! A store that records the calls it receives.

// Each bench uses a part of this.
#![allow(dead_code)]

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use hitl::{
    Place, Standing, Store, StoreError, ThreadId,
    store::{Append, OpenReview, Page, Record, Tail},
};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A recording wrapper around another store. Clones share their records.
#[derive(Clone)]
pub struct Witness<S> {
    store: S,
    appended: Arc<Mutex<Vec<Append>>>,
    read: Arc<AtomicUsize>,
}

impl<S> Witness<S> {
    pub fn of(store: S) -> Self {
        Self { store, appended: Arc::default(), read: Arc::default() }
    }

    /// Returns every append, in order.
    pub fn appended(&self) -> MutexGuard<'_, Vec<Append>> {
        self.appended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of entries read since the last call of this function.
    pub fn read(&self) -> usize {
        self.read.swap(0, Ordering::Relaxed)
    }

    fn count(&self, records: &[Record]) {
        self.read.fetch_add(records.len(), Ordering::Relaxed);
    }
}

impl<S: Store> Store for Witness<S> {
    fn append(&self, append: Append) -> Answer<'_, ()> {
        self.appended().push(append.clone());
        self.store.append(append)
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> Answer<'a, Option<Tail>> {
        Box::pin(async move {
            let tail = self.store.tail(thread).await?;
            tail.iter().for_each(|tail| self.count(&tail.records));
            Ok(tail)
        })
    }

    fn entries<'a>(&'a self, thread: &'a ThreadId, from: Place, limit: usize) -> Answer<'a, Vec<Record>> {
        Box::pin(async move {
            let records = self.store.entries(thread, from, limit).await?;
            self.count(&records);
            Ok(records)
        })
    }

    fn reviews<'a>(&'a self, after: Option<&'a str>, limit: usize) -> Answer<'a, Page<OpenReview>> {
        self.store.reviews(after, limit)
    }

    fn threads<'a>(
        &'a self,
        standing: Option<Standing>,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page<(ThreadId, Standing)>> {
        self.store.threads(standing, after, limit)
    }

    fn due<'a>(&'a self, by_ms: u64, after: Option<&'a str>, limit: usize) -> Answer<'a, Page<ThreadId>> {
        self.store.due(by_ms, after, limit)
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> Answer<'a, ()> {
        self.store.delete(thread)
    }
}
