//! Layers: stores in front of another store.

use std::future::ready;

use super::{
    Append, Backfill, BoxFuture, OpenReview, Page, Place, Record, Store, StoreError, Tail, Tally,
    ThreadStatus, UncountedThread,
};
use crate::{ThreadId, Timestamp};

/// A change of some calls of a store; [`LayeredStore`] makes a store of it. Each method gets the store behind it, and by
/// default calls that store.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use hitl::{store::*, testkit::conformance};
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering::Relaxed}};
///
/// /// Counts the entries written.
/// #[derive(Clone, Default)]
/// struct Counted(Arc<AtomicU64>);
///
/// impl StoreLayer for Counted {
///     fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
///         self.0.fetch_add(append.records.len() as u64, Relaxed);
///         store.append(append)
///     }
/// }
///
/// let store = LayeredStore::new(MemoryStore::new(), Counted::default());
/// // This checks one promise of `Store`; `conformance::all` checks every one of them.
/// conformance::conflicts(async || store.clone()).await;
/// assert!(store.layer().0.load(Relaxed) > 0);
/// # }
/// ```
pub trait StoreLayer: Send + Sync + 'static {
    /// As [`Store::append`].
    ///
    /// # Errors
    /// As [`Store::append`].
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
        store.append(append)
    }

    /// As [`Store::should_retry_appends`].
    fn should_retry_appends(&self, store: &dyn Store) -> bool {
        store.should_retry_appends()
    }

    /// As [`Store::tail`].
    ///
    /// # Errors
    /// As [`Store::tail`].
    fn tail<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
    ) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        store.tail(thread)
    }

    /// As [`Store::entries`].
    ///
    /// # Errors
    /// As [`Store::entries`].
    fn entries<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        store.entries(thread, from, limit)
    }

    /// As [`Store::reviews`].
    ///
    /// # Errors
    /// As [`Store::reviews`].
    fn reviews<'a>(
        &'a self,
        store: &'a dyn Store,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>> {
        store.reviews(after, limit)
    }

    /// As [`Store::threads`].
    ///
    /// # Errors
    /// As [`Store::threads`].
    fn threads<'a>(
        &'a self,
        store: &'a dyn Store,
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, ThreadStatus)>, StoreError>> {
        store.threads(standing, after, limit)
    }

    /// As [`Store::due`].
    ///
    /// # Errors
    /// As [`Store::due`].
    fn due<'a>(
        &'a self,
        store: &'a dyn Store,
        by: Timestamp,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        store.due(by, after, limit)
    }

    /// As [`Store::delete`].
    ///
    /// # Errors
    /// As [`Store::delete`].
    fn delete<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        store.delete(thread)
    }

    /// Returns whether the tallies of the store pass this layer. By default they do not, because they name nodes, rules
    /// and operators in clear, of all threads: a layer that encrypts, or that separates tenants, would reveal them.
    /// Appends then have no tallies behind this layer, and the metrics are computed from the journals. A layer that
    /// only observes returns `true`.
    fn passes_tallies(&self) -> bool {
        false
    }

    /// As [`Store::tallies`]. Called only if [`Self::passes_tallies`].
    ///
    /// # Errors
    /// As [`Store::tallies`].
    fn tallies<'a>(
        &'a self,
        store: &'a dyn Store,
        from: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Option<Page<Tally>>, StoreError>> {
        store.tallies(from, after, limit)
    }

    /// As [`Store::uncounted`]. Called only if [`Self::passes_tallies`].
    ///
    /// # Errors
    /// As [`Store::uncounted`].
    fn uncounted<'a>(
        &'a self,
        store: &'a dyn Store,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<UncountedThread>, StoreError>> {
        store.uncounted(after, limit)
    }

    /// As [`Store::backfill`]. Called only if [`Self::passes_tallies`].
    ///
    /// # Errors
    /// As [`Store::backfill`].
    fn backfill<'a>(
        &'a self,
        store: &'a dyn Store,
        backfill: Backfill,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        store.backfill(backfill)
    }

    /// As [`Store::delete_tallies`]. Unlike the others it is always called: a store behind a layer that hides tallies
    /// may have those of the time before the layer.
    ///
    /// # Errors
    /// As [`Store::delete_tallies`].
    fn delete_tallies<'a>(
        &'a self,
        store: &'a dyn Store,
        before: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        store.delete_tallies(before)
    }
}

/// A store with a [`StoreLayer`] in front.
#[derive(Clone, Debug, Default)]
pub struct LayeredStore<S, L> {
    store: S,
    layer: L,
}

impl<S, L> LayeredStore<S, L> {
    /// Puts a layer in front of a store.
    pub fn new(store: S, layer: L) -> Self {
        Self { store, layer }
    }

    /// Returns the layer.
    pub fn layer(&self) -> &L {
        &self.layer
    }

    /// Returns the store behind the layer.
    pub fn inner(&self) -> &S {
        &self.store
    }
}

impl<S: Store, L: StoreLayer> Store for LayeredStore<S, L> {
    fn append(&self, mut append: Append) -> BoxFuture<'_, Result<(), StoreError>> {
        if !self.keeps_tallies() {
            append.tallies = None;
        }
        self.layer.append(&self.store, append)
    }

    fn should_retry_appends(&self) -> bool {
        self.layer.should_retry_appends(&self.store)
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        self.layer.tail(&self.store, thread)
    }

    fn entries<'a>(
        &'a self,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        self.layer.entries(&self.store, thread, from, limit)
    }

    fn reviews<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>> {
        self.layer.reviews(&self.store, after, limit)
    }

    fn threads<'a>(
        &'a self,
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, ThreadStatus)>, StoreError>> {
        self.layer.threads(&self.store, standing, after, limit)
    }

    fn due<'a>(
        &'a self,
        by: Timestamp,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        self.layer.due(&self.store, by, after, limit)
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>> {
        self.layer.delete(&self.store, thread)
    }

    fn keeps_tallies(&self) -> bool {
        self.layer.passes_tallies() && self.store.keeps_tallies()
    }

    fn tallies<'a>(
        &'a self,
        from: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Option<Page<Tally>>, StoreError>> {
        if self.layer.passes_tallies() {
            return self.layer.tallies(&self.store, from, after, limit);
        }
        Box::pin(ready(Ok(None)))
    }

    fn uncounted<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<UncountedThread>, StoreError>> {
        if self.layer.passes_tallies() {
            return self.layer.uncounted(&self.store, after, limit);
        }
        Box::pin(ready(Ok(Page::new(Vec::new(), None))))
    }

    fn backfill(&self, backfill: Backfill) -> BoxFuture<'_, Result<bool, StoreError>> {
        if self.layer.passes_tallies() {
            return self.layer.backfill(&self.store, backfill);
        }
        Box::pin(ready(Ok(false)))
    }

    fn delete_tallies<'a>(&'a self, before: Option<&'a str>) -> BoxFuture<'a, Result<(), StoreError>> {
        self.layer.delete_tallies(&self.store, before)
    }

    fn system_name(&self) -> &str {
        self.store.system_name()
    }
}
