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
    Place, Store, StoreError, ThreadId, ThreadStatus,
    store::{Append, OpenReview, Page, Record, Tail},
};

type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A recording wrapper around another store. Clones share their records.
#[derive(Clone)]
pub struct RecordingStore<S> {
    store: S,
    appended: Arc<Mutex<Vec<Append>>>,
    entries_read: Arc<AtomicUsize>,
}

impl<S> RecordingStore<S> {
    pub fn new(store: S) -> Self {
        Self { store, appended: Arc::default(), entries_read: Arc::default() }
    }

    /// Returns every append, in order.
    pub fn appended(&self) -> MutexGuard<'_, Vec<Append>> {
        self.appended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of entries read since the last call of this function.
    pub fn take_entries_read(&self) -> usize {
        self.entries_read.swap(0, Ordering::Relaxed)
    }

    fn count(&self, records: &[Record]) {
        self.entries_read.fetch_add(records.len(), Ordering::Relaxed);
    }
}

impl<S: Store> Store for RecordingStore<S> {
    fn append(&self, append: Append) -> StoreFuture<'_, ()> {
        self.appended().push(append.clone());
        self.store.append(append)
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> StoreFuture<'a, Option<Tail>> {
        Box::pin(async move {
            let tail = self.store.tail(thread).await?;
            tail.iter().for_each(|tail| self.count(&tail.records));
            Ok(tail)
        })
    }

    fn entries<'a>(
        &'a self,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Record>> {
        Box::pin(async move {
            let records = self.store.entries(thread, from, limit).await?;
            self.count(&records);
            Ok(records)
        })
    }

    fn reviews<'a>(&'a self, after: Option<&'a str>, limit: usize) -> StoreFuture<'a, Page<OpenReview>> {
        self.store.reviews(after, limit)
    }

    fn threads<'a>(
        &'a self,
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> StoreFuture<'a, Page<(ThreadId, ThreadStatus)>> {
        self.store.threads(standing, after, limit)
    }

    fn due<'a>(
        &'a self,
        by_ms: u64,
        after: Option<&'a str>,
        limit: usize,
    ) -> StoreFuture<'a, Page<ThreadId>> {
        self.store.due(by_ms, after, limit)
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> StoreFuture<'a, ()> {
        self.store.delete(thread)
    }
}
