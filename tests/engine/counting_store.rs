//! A store that counts its appends and can limit the size of its pages.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicUsize, Ordering},
};

use tokio::sync::Semaphore;

use hitl::{
    MemoryStore, Place, Store, StoreError, ThreadId,
    store::{Append, BoxFuture, LayeredStore, Record, StoreLayer, Tail},
};

pub type CountingStore = LayeredStore<MemoryStore, Counts>;

#[derive(Clone, Default)]
pub struct Counts {
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

impl StoreLayer for Counts {
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some((_, gate)) = self.opens.as_ref().filter(|(at, _)| *at == number) {
            gate.add_permits(1);
        }
        self.largest.fetch_max(append.records.len(), Ordering::SeqCst);
        store.append(append)
    }

    fn tail<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
    ) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        store.tail(thread)
    }

    fn entries<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        // The journal of stops, which is read before each run, is not of a thread.
        self.reads.fetch_add(u32::from(!thread.is_reserved()), Ordering::SeqCst);
        store.entries(thread, from, limit.min(self.page.unwrap_or(limit)))
    }
}
