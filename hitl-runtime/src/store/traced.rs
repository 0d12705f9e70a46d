//! Spans of store calls: a layer in front of the store of every agent, so that a store of a third party has them too. Its
//! lists have no journal that is not of a thread.

use hitl_core::{
    Place, ThreadId,
    store::{
        Append, Backfill, BoxFuture, LayeredStore, OpenReview, Page, Record, Store, StoreError, StoreLayer,
        Tail, Tally, ThreadStatus, UncountedThread,
    },
};
use tracing::{Instrument as _, Span, field::Empty};

use crate::{Timestamp, telemetry::plain};

type Call<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Puts the layer in front of a store.
pub(crate) fn traced<S: Store>(store: S) -> impl Store {
    LayeredStore::new(store, Traced)
}

/// The layer. While no subscriber wants its spans, it returns the future of the store as it is.
struct Traced;

impl StoreLayer for Traced {
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> Call<'a, ()> {
        let span = span(store, "append", Some(&append.thread));
        if !span.is_disabled() {
            span.record("place", append.records.first().map(|record| record.place.get()));
            record_entries(&span, &append.records);
        }
        traced_call(span, || store.append(append), |(), _| ())
    }

    fn tail<'a>(&'a self, store: &'a dyn Store, thread: &'a ThreadId) -> Call<'a, Option<Tail>> {
        let record = |tail: &Option<Tail>, span: &Span| {
            record_entries(span, tail.as_ref().map_or(&[], |tail| &tail.records));
        };
        traced_call(span(store, "tail", Some(thread)), || store.tail(thread), record)
    }

    fn entries<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> Call<'a, Vec<Record>> {
        let span = span(store, "entries", Some(thread));
        span.record("place", from.get());
        traced_call(
            span,
            || store.entries(thread, from, limit),
            |records: &Vec<_>, span| record_entries(span, records),
        )
    }

    fn reviews<'a>(
        &'a self,
        store: &'a dyn Store,
        after: Option<&'a str>,
        limit: usize,
    ) -> Call<'a, Page<OpenReview>> {
        traced_call(span(store, "reviews", None), || store.reviews(after, limit), record_page)
    }

    fn threads<'a>(
        &'a self,
        store: &'a dyn Store,
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> Call<'a, Page<(ThreadId, ThreadStatus)>> {
        let call = || -> Call<'a, Page<(ThreadId, ThreadStatus)>> {
            Box::pin(async move {
                let mut page = store.threads(standing, after, limit).await?;
                page.items.retain(|(thread, _)| !thread.is_reserved());
                Ok(page)
            })
        };
        traced_call(span(store, "threads", None), call, record_page)
    }

    fn due<'a>(
        &'a self,
        store: &'a dyn Store,
        by: Timestamp,
        after: Option<&'a str>,
        limit: usize,
    ) -> Call<'a, Page<ThreadId>> {
        traced_call(span(store, "due", None), || store.due(by, after, limit), record_page)
    }

    fn delete<'a>(&'a self, store: &'a dyn Store, thread: &'a ThreadId) -> Call<'a, ()> {
        traced_call(span(store, "delete", Some(thread)), || store.delete(thread), |(), _| ())
    }

    /// Returns `true`: the layer only observes.
    fn passes_tallies(&self) -> bool {
        true
    }

    fn tallies<'a>(
        &'a self,
        store: &'a dyn Store,
        from: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Call<'a, Option<Page<Tally>>> {
        let record = |page: &Option<Page<Tally>>, span: &Span| {
            page.iter().for_each(|page| record_page(page, span));
        };
        traced_call(span(store, "tallies", None), || store.tallies(from, after, limit), record)
    }

    fn uncounted<'a>(
        &'a self,
        store: &'a dyn Store,
        after: Option<&'a str>,
        limit: usize,
    ) -> Call<'a, Page<UncountedThread>> {
        traced_call(span(store, "uncounted", None), || store.uncounted(after, limit), record_page)
    }

    fn backfill<'a>(&'a self, store: &'a dyn Store, backfill: Backfill) -> Call<'a, bool> {
        let span = span(store, "backfill", Some(&backfill.thread));
        span.record("place", backfill.from.get());
        traced_call(span, || store.backfill(backfill), |_, _| ())
    }

    fn delete_tallies<'a>(&'a self, store: &'a dyn Store, before: Option<&'a str>) -> Call<'a, ()> {
        traced_call(span(store, "delete_tallies", None), || store.delete_tallies(before), |(), _| ())
    }
}

fn span(store: &dyn Store, operation: &'static str, thread: Option<&ThreadId>) -> Span {
    tracing::debug_span!(
        target: "hitl::store",
        "store",
        db.system.name = store.system_name(),
        db.operation.name = operation,
        thread = thread.map(|thread| plain(thread.as_str())).as_deref(),
        place = Empty,
        entries = Empty,
        bytes = Empty,
        items = Empty,
        error.type = Empty,
    )
}

/// Calls the store in the span, and records the outcome.
fn traced_call<'a, T: Send + 'a>(
    span: Span,
    call: impl FnOnce() -> Call<'a, T>,
    record: impl FnOnce(&T, &Span) + Send + 'a,
) -> Call<'a, T> {
    if span.is_disabled() {
        return call();
    }
    let call = span.in_scope(call);
    let recorded = span.clone();
    let call = async move {
        let outcome = call.await;
        match &outcome {
            Ok(value) => {
                record(value, &recorded);
                tracing::trace!(target: "hitl::store", "store call ended");
            }
            Err(error) => {
                recorded.record("error.type", error_type(error));
                tracing::debug!(target: "hitl::store", "store call failed");
            }
        }
        outcome
    };
    Box::pin(call.instrument(span))
}

fn record_entries(span: &Span, records: &[Record]) {
    span.record("entries", records.len());
    span.record("bytes", records.iter().map(|record| record.body.len()).sum::<usize>());
}

fn record_page<T>(page: &Page<T>, span: &Span) {
    span.record("items", page.items.len());
}

/// Returns the name of an error's variant. Its text names files and tables, and may quote a page token.
pub(super) fn error_type(error: &StoreError) -> &'static str {
    match error {
        StoreError::Conflict { .. } => "conflict",
        StoreError::NotAStore { .. } => "not_a_store",
        StoreError::NewerSchema { .. } => "newer_schema",
        StoreError::Failed { .. } => "failed",
        StoreError::InvalidAppend { .. } => "invalid_append",
        StoreError::InvalidPageToken(_) => "invalid_page_token",
        StoreError::Key(_) => "key",
        StoreError::Decryption { .. } => "decryption",
        // The fallback of OpenTelemetry.
        _ => "_OTHER",
    }
}
