//! A store that records the calls it receives.

// Each bench uses a part of this.
#![allow(dead_code)]

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use hitl::{
    Place, Store, StoreError, ThreadId,
    store::{Append, BoxFuture, LayeredStore, Record, StoreLayer, Tail},
};

/// A store that records its calls.
pub type RecordingStore<S> = LayeredStore<S, Recording>;

/// The records of the calls of a store. Clones share them.
#[derive(Clone, Default)]
pub struct Recording {
    appended: Arc<Mutex<Vec<Append>>>,
    entries_read: Arc<AtomicUsize>,
}

impl Recording {
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

impl StoreLayer for Recording {
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
        self.appended().push(append.clone());
        store.append(append)
    }

    fn tail<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
    ) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        Box::pin(async move {
            let tail = store.tail(thread).await?;
            tail.iter().for_each(|tail| self.count(&tail.records));
            Ok(tail)
        })
    }

    fn entries<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
            let records = store.entries(thread, from, limit).await?;
            self.count(&records);
            Ok(records)
        })
    }
}
