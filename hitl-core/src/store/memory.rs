//! An in-memory store, for tests, for short-lived processes, and for speed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    future::ready,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::BoxFuture;

use super::{
    Append, Backfill, OpenReview, Page, Place, Record, Store, StoreError, Tail, Tally, ThreadStatus,
    UncountedThread, memory_tallies::Tallies, page_token, position_after,
};
use crate::{Digest, ThreadId, Timestamp};

/// A [`Store`] in the memory of this process. Clones share its journals, which are lost when the last clone is dropped.
///
/// ```
/// use hitl::store::{MemoryStore, Store};
/// use hitl::ThreadId;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// assert!(store.tail(&ThreadId::new("ticket-A-9133")?).await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    threads: HashMap<ThreadId, Journal>,
    /// The keys of `threads` in order, for paging.
    order: BTreeSet<ThreadId>,
    /// Open reviews by opening time. The number makes the key unique.
    reviews: BTreeMap<(Timestamp, u64), OpenReview>,
    next_review: u64,
    /// Threads by due time. The thread's number makes the key unique.
    due: BTreeMap<(Timestamp, u64), ThreadId>,
    next_thread: u64,
    tallies: Tallies,
}

struct Journal {
    records: Vec<Record>,
    /// The position of the last snapshot in `records`, or 0.
    snapshot: usize,
    standing: ThreadStatus,
    /// Keys of the thread's open reviews in `State::reviews`.
    reviews: Vec<(Timestamp, u64)>,
    number: u64,
    due: Option<Timestamp>,
}

impl MemoryStore {
    /// Creates an empty store.
    ///
    /// ```
    /// let store = hitl::store::MemoryStore::new();
    /// # drop(store);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Locks the state. No code below panics in the middle of a change, so the state behind a poisoned lock is
    /// consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("threads", &self.lock().threads.len()).finish_non_exhaustive()
    }
}

impl State {
    fn append(&mut self, append: Append) -> Result<(), StoreError> {
        append.check()?;
        let Append { thread, records, standing, reviews, due, after, tallies } = append;
        let named = thread.clone();
        let place = records.first().map_or(Place::START, |record| record.place);
        let snapshot = records.iter().rposition(|record| record.snapshot);
        match self.threads.get_mut(&thread) {
            Some(journal)
                if place == journal.records.len() as u64
                    && journal.records.last().map(|record| record.hash) == after =>
            {
                if let Some(snapshot) = snapshot {
                    journal.snapshot = journal.records.len() + snapshot;
                }
                journal.records.extend(records);
                journal.standing = standing;
                if journal.due != due {
                    self.due.extend(due.map(|at| ((at, journal.number), thread)));
                    let before = std::mem::replace(&mut journal.due, due);
                    before.and_then(|at| self.due.remove(&(at, journal.number)));
                }
                replace(&mut self.reviews, &mut self.next_review, &mut journal.reviews, reviews);
            }
            None if place == 0 => {
                let number = self.next_thread;
                self.next_thread += 1;
                let mut journal = Journal {
                    records,
                    snapshot: snapshot.unwrap_or(0),
                    standing,
                    reviews: Vec::new(),
                    number,
                    due,
                };
                self.due.extend(due.map(|at| ((at, number), thread.clone())));
                replace(&mut self.reviews, &mut self.next_review, &mut journal.reviews, reviews);
                self.order.insert(thread.clone());
                self.threads.insert(thread, journal);
            }
            _ => return Err(StoreError::Conflict { thread, place }),
        }
        self.tallies.append(named, place, tallies);
        Ok(())
    }

    fn backfill(&mut self, backfill: Backfill) -> bool {
        let Some(journal) = self.threads.get(&backfill.thread) else { return false };
        let last = usize::try_from(backfill.to.get()).ok().and_then(|to| journal.records.get(to));
        last.is_some_and(|last| last.hash == backfill.hash)
            && self.tallies.backfill(backfill, Place::new(journal.records.len() as u64))
    }

    fn reviews(&self, after: Option<&str>, limit: usize) -> Result<Page<OpenReview>, StoreError> {
        let start =
            position_after::<(Timestamp, u64)>("reviews", after)?.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.reviews.range((start, Bound::Unbounded));
        let taken: Vec<_> = rest.by_ref().take(limit.max(1)).collect();
        let last = taken.last().filter(|_| rest.next().is_some());
        Ok(Page {
            next: last.map(|((opened, number), _)| page_token("reviews", &(opened, number))),
            items: taken.into_iter().map(|(_, review)| review.clone()).collect(),
        })
    }

    fn threads(
        &self,
        standing: Option<ThreadStatus>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<(ThreadId, ThreadStatus)>, StoreError> {
        let start = position_after::<ThreadId>("threads", after)?.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self
            .order
            .range((start, Bound::Unbounded))
            .filter_map(|thread| Some((thread, self.threads.get(thread)?.standing)))
            .filter(|(_, found)| standing.is_none_or(|wanted| wanted == *found));
        let items: Vec<_> =
            rest.by_ref().take(limit.max(1)).map(|(thread, found)| (thread.clone(), found)).collect();
        let last = items.last().filter(|_| rest.next().is_some());
        Ok(Page { next: last.map(|(thread, _)| page_token("threads", thread)), items })
    }

    fn due(&self, by: Timestamp, after: Option<&str>, limit: usize) -> Result<Page<ThreadId>, StoreError> {
        let start =
            position_after::<(Timestamp, u64)>("due", after)?.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.due.range((start, Bound::Unbounded)).take_while(|((at, _), _)| *at <= by);
        let taken: Vec<_> = rest.by_ref().take(limit.max(1)).collect();
        let last = taken.last().filter(|_| rest.next().is_some());
        Ok(Page {
            next: last.map(|((at, number), _)| page_token("due", &(at, number))),
            items: taken.into_iter().map(|(_, thread)| thread.clone()).collect(),
        })
    }

    fn delete(&mut self, thread: &ThreadId) -> Option<Journal> {
        let journal = self.threads.remove(thread)?;
        journal.due.and_then(|at| self.due.remove(&(at, journal.number)));
        self.order.remove(thread);
        self.tallies.delete_thread(thread);
        journal.reviews.iter().for_each(|key| drop(self.reviews.remove(key)));
        Some(journal)
    }
}

/// Replaces the reviews with these `keys` by `new`. A review that stays open keeps its key, and so its position in
/// pages.
fn replace(
    index: &mut BTreeMap<(Timestamp, u64), OpenReview>,
    next: &mut u64,
    keys: &mut Vec<(Timestamp, u64)>,
    new: Vec<OpenReview>,
) {
    if keys.is_empty() && new.is_empty() {
        return;
    }
    // A map, because a `for` may open a thousand reviews at once.
    let mut new: BTreeMap<(Place, Digest), OpenReview> =
        new.into_iter().map(|review| ((review.place, review.digest), review)).collect();
    keys.retain(|key| {
        let is_unchanged = index.get(key).is_some_and(|old| {
            let name = (old.place, old.digest);
            new.get(&name) == Some(old) && new.remove(&name).is_some()
        });
        if !is_unchanged {
            index.remove(key);
        }
        is_unchanged
    });
    for review in new.into_values() {
        let key = (review.opened, *next);
        *next += 1;
        keys.push(key);
        index.insert(key, review);
    }
}

impl Store for MemoryStore {
    fn system_name(&self) -> &str {
        "memory"
    }

    fn should_retry_appends(&self) -> bool {
        false
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), StoreError>> {
        let done = self.lock().append(append);
        Box::pin(ready(done))
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        let state = self.lock();
        let tail = state.threads.get(thread).map(|journal| Tail {
            before: journal.snapshot.checked_sub(1).map(|before| journal.records[before].hash),
            records: journal.records[journal.snapshot..].to_vec(),
        });
        Box::pin(ready(Ok(tail)))
    }

    fn entries<'a>(
        &'a self,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        let state = self.lock();
        let from = usize::try_from(from.get()).unwrap_or(usize::MAX);
        let records =
            state.threads.get(thread).and_then(|journal| journal.records.get(from..)).unwrap_or_default();
        let records = records[..limit.min(records.len())].to_vec();
        Box::pin(ready(Ok(records)))
    }

    fn reviews<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>> {
        let page = self.lock().reviews(after, limit);
        Box::pin(ready(page))
    }

    fn threads<'a>(
        &'a self,
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, ThreadStatus)>, StoreError>> {
        let page = self.lock().threads(standing, after, limit);
        Box::pin(ready(page))
    }

    fn due<'a>(
        &'a self,
        by: Timestamp,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        let page = self.lock().due(by, after, limit);
        Box::pin(ready(page))
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>> {
        // The journal is freed after the lock is released.
        let journal = self.lock().delete(thread);
        drop(journal);
        Box::pin(ready(Ok(())))
    }

    fn keeps_tallies(&self) -> bool {
        true
    }

    fn tallies<'a>(
        &'a self,
        from: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Option<Page<Tally>>, StoreError>> {
        let page = self.lock().tallies.list(from, after, limit).map(Some);
        Box::pin(ready(page))
    }

    fn uncounted<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<UncountedThread>, StoreError>> {
        let page = self.lock().tallies.uncounted(after, limit);
        Box::pin(ready(page))
    }

    fn backfill(&self, backfill: Backfill) -> BoxFuture<'_, Result<bool, StoreError>> {
        let is_added = self.lock().backfill(backfill);
        Box::pin(ready(Ok(is_added)))
    }

    fn delete_tallies<'a>(&'a self, before: Option<&'a str>) -> BoxFuture<'a, Result<(), StoreError>> {
        self.lock().tallies.delete(before);
        Box::pin(ready(Ok(())))
    }
}
