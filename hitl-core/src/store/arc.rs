//! An implementation of [`Store`] for `Arc`, so that several owners can share a store.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{
    Append, Backfill, OpenReview, Page, Place, Record, Store, StoreError, Tail, Tally, ThreadStatus,
    UncountedThread,
};
use crate::{ThreadId, Timestamp};

impl<S: Store + ?Sized> Store for Arc<S> {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), StoreError>> {
        (**self).append(append)
    }

    fn should_retry_appends(&self) -> bool {
        (**self).should_retry_appends()
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        (**self).tail(thread)
    }

    fn entries<'a>(
        &'a self,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        (**self).entries(thread, from, limit)
    }

    fn reviews<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>> {
        (**self).reviews(after, limit)
    }

    fn threads<'a>(
        &'a self,
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, ThreadStatus)>, StoreError>> {
        (**self).threads(standing, after, limit)
    }

    fn due<'a>(
        &'a self,
        by: Timestamp,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        (**self).due(by, after, limit)
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>> {
        (**self).delete(thread)
    }

    fn keeps_tallies(&self) -> bool {
        (**self).keeps_tallies()
    }

    fn tallies<'a>(
        &'a self,
        from: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Option<Page<Tally>>, StoreError>> {
        (**self).tallies(from, after, limit)
    }

    fn uncounted<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<UncountedThread>, StoreError>> {
        (**self).uncounted(after, limit)
    }

    fn backfill(&self, backfill: Backfill) -> BoxFuture<'_, Result<bool, StoreError>> {
        (**self).backfill(backfill)
    }

    fn delete_tallies<'a>(&'a self, before: Option<&'a str>) -> BoxFuture<'a, Result<(), StoreError>> {
        (**self).delete_tallies(before)
    }

    fn system_name(&self) -> &str {
        (**self).system_name()
    }
}
