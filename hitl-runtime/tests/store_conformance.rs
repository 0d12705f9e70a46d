//! The store conformance suite, run against the memory and the SQLite store, and against broken stores.
#![allow(clippy::unwrap_used)]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use hitl_runtime::{
    Place, ThreadId, Timestamp,
    store::{
        Append, LayeredStore, MemoryStore, OpenReview, Page, Record, Store, StoreError, StoreLayer, Tail,
        ThreadStatus,
    },
};
use hitl_testkit::conformance;

#[tokio::test(flavor = "multi_thread")]
async fn memory_store_conforms() {
    let store = MemoryStore::new();
    conformance::all(async || store.clone()).await;
}

#[tokio::test]
async fn memory_store_conforms_on_one_thread() {
    let store = MemoryStore::new();
    conformance::all(async || store.clone()).await;
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use hitl_runtime::store::SqliteStore;
    use hitl_testkit::conformance;

    /// Opens a new store each time, with its own connections, as another process would.
    async fn check() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threads.db");
        conformance::all(async || SqliteStore::open(&path).await.unwrap()).await;
        // The last store to close leaves only the database file.
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite_store_conforms() {
        check().await;
    }

    #[tokio::test]
    async fn sqlite_store_conforms_on_one_thread() {
        check().await;
    }

    /// Clones of one handle share its writer.
    #[tokio::test(flavor = "multi_thread")]
    async fn clones_of_one_sqlite_store_conform() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path().join("threads.db")).await.unwrap();
        conformance::all(async || store.clone()).await;
    }

    /// The store needs no async runtime.
    #[test]
    fn sqlite_store_conforms_without_an_async_runtime() {
        use futures_util::{FutureExt as _, future::BoxFuture};
        use hitl_runtime::{ThreadId, store::Store as _};

        fn wait<T>(mut future: BoxFuture<'_, T>) -> T {
            struct Unpark(std::thread::Thread);
            impl std::task::Wake for Unpark {
                fn wake(self: std::sync::Arc<Self>) {
                    self.0.unpark();
                }
            }
            let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
            let mut context = std::task::Context::from_waker(&waker);
            loop {
                match future.poll_unpin(&mut context) {
                    std::task::Poll::Ready(done) => return done,
                    std::task::Poll::Pending => std::thread::park(),
                }
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let store = wait(SqliteStore::open(dir.path().join("threads.db")).boxed()).unwrap();
        let thread = ThreadId::new("no runtime").unwrap();
        assert_eq!(wait(conformance::contend(&store, &thread, "one", 5).boxed()), [0, 1, 2, 3, 4]);
        assert!(wait(store.tail(&thread)).unwrap().is_some());
    }
}

/// A fault of a store. The suite must find each fault.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    AppendsAnywhere,
    AppendsPartially,
    AcceptsBadAppends,
    ReportsWrongPlace,
    IgnoresTheStatus,
    ForgetsReviews,
    KeepsClosedReviews,
    ShowsWholeTails,
    CutsLongTails,
    ReportsWrongHashBeforeTail,
    IgnoresTheLimit,
    IgnoresCase,
    TruncatesBodies,
    KeepsPartOfRejectedAppend,
    ListsTheNewestFirst,
    AcceptsAnyToken,
    SkipsAnItem,
    AppendsAfterAnything,
    ForgetsTheDueTime,
    ListsTheLatestDueFirst,
    DeletesNothing,
    IsEmptyWhenOpenedAgain,
}

impl Fault {
    fn is(&self, fault: Fault) -> bool {
        *self == fault
    }

    fn key(&self, thread: &ThreadId) -> ThreadId {
        if self.is(Fault::IgnoresCase) {
            ThreadId::new(thread.as_str().to_lowercase()).unwrap()
        } else {
            thread.clone()
        }
    }
}

impl StoreLayer for Fault {
    fn append<'a>(
        &'a self,
        store: &'a dyn Store,
        mut append: Append,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            append.thread = self.key(&append.thread);
            append.reviews.iter_mut().for_each(|review| review.thread = self.key(&review.thread));
            let head = store.entries(&append.thread, Place::START, usize::MAX).await?.len() as u64;
            match self {
                Fault::AppendsAnywhere if append.check().is_ok() => {
                    (head..).zip(&mut append.records).for_each(|(place, record)| record.place = place.into());
                    let last = store.entries(&append.thread, head.saturating_sub(1).into(), 1).await?;
                    append.after = last.first().map(|record| record.hash);
                }
                Fault::AppendsAfterAnything if append.check().is_ok() && append.after.is_some() => {
                    let last = store.entries(&append.thread, head.saturating_sub(1).into(), 1).await?;
                    append.after = last.first().map(|record| record.hash).or(append.after);
                }
                Fault::AppendsPartially if append.check().is_ok() => {
                    for record in append.records.clone() {
                        let hash = record.hash;
                        store.append(append.clone().with_records(vec![record])).await?;
                        append.after = Some(hash);
                        tokio::task::yield_now().await;
                    }
                    return Ok(());
                }
                Fault::AcceptsBadAppends if append.check().is_err() => return Ok(()),
                Fault::IgnoresTheStatus => append.standing = ThreadStatus::Running,
                Fault::ForgetsTheDueTime if head > 0 => append.due = None,
                Fault::ForgetsReviews if head > 0 => append.reviews.truncate(1),
                Fault::KeepsClosedReviews => {
                    let old = store.reviews(None, usize::MAX).await?.items;
                    append.reviews.extend(old.into_iter().filter(|review| review.thread == append.thread));
                }
                Fault::KeepsPartOfRejectedAppend
                    if append.records.iter().map(|record| record.body.len()).sum::<usize>() > 1_000_000 =>
                {
                    append.records.truncate(1);
                    store.append(append).await?;
                    return Err(failed());
                }
                Fault::TruncatesBodies => {
                    append.records.iter_mut().for_each(|record| record.body.truncate(65_535))
                }
                _ => {}
            }
            let answer = store.append(append).await;
            match answer {
                Err(StoreError::Conflict { thread, .. }) if self.is(Fault::ReportsWrongPlace) => {
                    Err(StoreError::Conflict { thread, place: Place::START })
                }
                answer => answer,
            }
        })
    }

    fn tail<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
    ) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        Box::pin(async move {
            let mut tail = store.tail(&self.key(thread)).await?;
            if let Some(tail) = tail.as_mut().filter(|_| self.is(Fault::CutsLongTails)) {
                let mut room = 1_000_000;
                tail.records.retain(|record| {
                    room -= record.body.len().min(room);
                    room > 0
                });
            }
            if let Some(tail) = tail.as_mut().filter(|_| self.is(Fault::ReportsWrongHashBeforeTail)) {
                tail.before = tail.before.and(tail.records.first().map(|record| record.hash));
            }
            if !self.is(Fault::ShowsWholeTails) {
                return Ok(tail);
            }
            let records = store.entries(thread, 0.into(), usize::MAX).await?;
            Ok(tail.map(|_| Tail::new(records)))
        })
    }

    fn entries<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        let limit = if self.is(Fault::IgnoresTheLimit) { usize::MAX } else { limit };
        Box::pin(async move { store.entries(&self.key(thread), from, limit).await })
    }

    fn reviews<'a>(
        &'a self,
        store: &'a dyn Store,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>> {
        Box::pin(async move {
            let mut page = store.reviews(after, limit).await;
            if self.is(Fault::AcceptsAnyToken) && page.is_err() {
                page = store.reviews(None, limit).await;
            }
            let mut page = page?;
            if self.is(Fault::ListsTheNewestFirst) {
                page.items.reverse();
            }
            if self.is(Fault::SkipsAnItem) && after.is_some() && page.items.len() > 1 {
                page.items.remove(0);
            }
            Ok(page)
        })
    }

    fn due<'a>(
        &'a self,
        store: &'a dyn Store,
        by: Timestamp,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        Box::pin(async move {
            let mut page = store.due(by, after, limit).await?;
            if self.is(Fault::ListsTheLatestDueFirst) {
                page.items.reverse();
            }
            Ok(page)
        })
    }

    fn delete<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if self.is(Fault::DeletesNothing) { Ok(()) } else { store.delete(&self.key(thread)).await }
        })
    }
}

#[test]
fn the_suite_detects_every_defect() {
    let finds = |fault: Fault| {
        let check = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let store = MemoryStore::new();
            runtime.block_on(conformance::all(async || match fault {
                Fault::IsEmptyWhenOpenedAgain => LayeredStore::new(MemoryStore::new(), fault),
                _ => LayeredStore::new(store.clone(), fault),
            }));
        };
        std::thread::spawn(check).join().is_err()
    };
    assert!(!finds(Fault::None));
    for fault in [
        Fault::AppendsAnywhere,
        Fault::AppendsPartially,
        Fault::AcceptsBadAppends,
        Fault::ReportsWrongPlace,
        Fault::IgnoresTheStatus,
        Fault::ForgetsReviews,
        Fault::KeepsClosedReviews,
        Fault::ShowsWholeTails,
        Fault::CutsLongTails,
        Fault::ReportsWrongHashBeforeTail,
        Fault::IgnoresTheLimit,
        Fault::IgnoresCase,
        Fault::TruncatesBodies,
        Fault::KeepsPartOfRejectedAppend,
        Fault::ListsTheNewestFirst,
        Fault::AcceptsAnyToken,
        Fault::SkipsAnItem,
        Fault::AppendsAfterAnything,
        Fault::ForgetsTheDueTime,
        Fault::ListsTheLatestDueFirst,
        Fault::DeletesNothing,
        Fault::IsEmptyWhenOpenedAgain,
    ] {
        assert!(finds(fault), "the suite found nothing wrong with a store that {fault:?}");
    }
}

fn failed() -> StoreError {
    StoreError::Failed { location: "a broken store".into(), problem: "it failed".into(), source: None }
}

/// The death of a process in append number `in_append`, from 0 on, with the first `with` of its entries stored.
struct CrashIn {
    in_append: u64,
    with: usize,
    appends: Arc<AtomicU64>,
}

impl StoreLayer for CrashIn {
    fn append<'a>(
        &'a self,
        store: &'a dyn Store,
        mut append: Append,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if self.appends.fetch_add(1, SeqCst) < self.in_append {
                return store.append(append).await;
            }
            append.records.truncate(self.with);
            if !append.records.is_empty() {
                store.append(append).await?;
            }
            Err(failed())
        })
    }
}

/// Returns whether the check after a crash passes if a process died in append number `in_append`, from 0 on, with the
/// first `with` of its entries stored.
fn is_sound_after(in_append: u64, with: usize) -> bool {
    let check = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store =
            LayeredStore::new(MemoryStore::new(), CrashIn { in_append, with, appends: Arc::default() });
        let thread = ThreadId::new("killed").unwrap();
        runtime.block_on(async {
            let mut last = None;
            let error = conformance::append_until_killed(&store, &thread, |place| last = Some(place)).await;
            assert!(matches!(error, StoreError::Failed { .. }), "{error}");
            conformance::after_crash(store.inner(), &thread, last).await;
        });
    };
    std::thread::spawn(check).join().is_ok()
}

#[test]
fn the_crash_check_detects_partial_appends() {
    // An append has three small entries, and every sixth one forty large ones.
    for (in_append, entries) in [(0, 3), (1, 3), (4, 3), (5, 40), (8, 3), (11, 40)] {
        for with in 0..=entries {
            let whole = with == 0 || with == entries;
            assert_eq!(
                is_sound_after(in_append, with),
                whole,
                "{with} of {entries} entries, append {in_append}"
            );
        }
    }
}

/// The last acknowledged append is missing.
#[test]
fn the_crash_check_detects_lost_appends() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store =
        LayeredStore::new(MemoryStore::new(), CrashIn { in_append: 3, with: 0, appends: Arc::default() });
    let thread = ThreadId::new("forgotten").unwrap();
    let mut last = None;
    runtime.block_on(conformance::append_until_killed(&store, &thread, |place| last = Some(place + 3)));
    let check = std::panic::AssertUnwindSafe(conformance::after_crash(store.inner(), &thread, last));
    assert!(runtime.block_on(check.catch_unwind()).is_err());
}
