//! A store that remembers what it was asked.

// Each bench takes what it needs.
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

/// In front of another store. Clones share what they saw.
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

    /// Every append, in order.
    pub fn appended(&self) -> MutexGuard<'_, Vec<Append>> {
        self.appended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many entries were read since this was last asked.
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
