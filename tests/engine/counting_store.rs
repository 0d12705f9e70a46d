//! A store that counts its appends and can limit the size of its pages.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use tokio::sync::Semaphore;

use hitl::{
    MemoryStore, OpenReview, Page, Place, Store, StoreError, ThreadId, ThreadStatus,
    store::{Append, Record, Tail},
};

#[derive(Clone, Default)]
pub struct CountingStore {
    pub store: MemoryStore,
    pub commits: Arc<AtomicU32>,
    /// The number of reads of a thread.
    pub reads: Arc<AtomicU32>,
    /// The number of entries of the largest append.
    pub largest: Arc<AtomicUsize>,
    /// The maximum number of entries that one `entries` call returns; `None` for no limit.
    pub page: Option<usize>,
    /// A semaphore that gets a permit at the append of this number.
    pub opens: Option<(u32, Arc<Semaphore>)>,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

impl Store for CountingStore {
    fn append(&self, append: Append) -> Answer<'_, ()> {
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some((_, gate)) = self.opens.as_ref().filter(|(at, _)| *at == number) {
            gate.add_permits(1);
        }
        self.largest.fetch_max(append.records.len(), Ordering::SeqCst);
        self.store.append(append)
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> Answer<'a, Option<Tail>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.tail(thread)
    }

    fn entries<'a>(&'a self, thread: &'a ThreadId, from: Place, limit: usize) -> Answer<'a, Vec<Record>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.entries(thread, from, limit.min(self.page.unwrap_or(limit)))
    }

    fn reviews<'a>(&'a self, after: Option<&'a str>, limit: usize) -> Answer<'a, Page<OpenReview>> {
        self.store.reviews(after, limit)
    }

    fn threads<'a>(
        &'a self,
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page<(ThreadId, ThreadStatus)>> {
        self.store.threads(standing, after, limit)
    }

    fn due<'a>(&'a self, by_ms: u64, after: Option<&'a str>, limit: usize) -> Answer<'a, Page<ThreadId>> {
        self.store.due(by_ms, after, limit)
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> Answer<'a, ()> {
        self.store.delete(thread)
    }
}
