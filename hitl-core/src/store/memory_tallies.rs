//! The tallies of the in-memory store.

use std::{collections::BTreeMap, ops::Bound};

use super::{Backfill, Page, Place, StoreError, Tally, UncountedThread, page_token, position_after};
use crate::ThreadId;

#[derive(Default)]
pub(super) struct Tallies {
    /// The sums by group.
    sums: BTreeMap<String, Tally>,
    /// The place of the first entry that is not counted, of each thread that has one.
    uncounted: BTreeMap<ThreadId, Place>,
}

impl Tallies {
    /// Adds the tallies of an append to a thread; `None` if its entries are not counted.
    pub(super) fn append(&mut self, thread: ThreadId, place: Place, tallies: Option<Vec<Tally>>) {
        match tallies {
            Some(tallies) if !self.uncounted.contains_key(&thread) => self.add(tallies),
            Some(_) => {}
            None => _ = self.uncounted.entry(thread).or_insert(place),
        }
    }

    fn add(&mut self, tallies: Vec<Tally>) {
        tallies.into_iter().for_each(|tally| tally.add_to(&mut self.sums));
    }

    /// Adds tallies of entries that were not counted, in a journal of this length.
    pub(super) fn backfill(&mut self, backfill: Backfill, length: Place) -> bool {
        let Backfill { thread, from, to, tallies, .. } = backfill;
        if to < from || self.uncounted.get(&thread) != Some(&from) {
            return false;
        }
        let next = to.saturating_add(1);
        if next < length {
            self.uncounted.insert(thread, next);
        } else {
            self.uncounted.remove(&thread);
        }
        self.add(tallies);
        true
    }

    pub(super) fn list(
        &self,
        from: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Tally>, StoreError> {
        let after = position_after::<String>("tallies", after)?.filter(|after| after.as_str() >= from);
        let start = after.as_deref().map_or(Bound::Included(from), Bound::Excluded);
        let mut rest = self.sums.range::<str, _>((start, Bound::Unbounded)).map(|(_, tally)| tally);
        let items: Vec<_> = rest.by_ref().take(limit.max(1)).cloned().collect();
        let last = items.last().filter(|_| rest.next().is_some());
        Ok(Page { next: last.map(|tally| page_token("tallies", &tally.group)), items })
    }

    pub(super) fn uncounted(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<UncountedThread>, StoreError> {
        let after = position_after::<ThreadId>("uncounted", after)?;
        let start = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.uncounted.range::<ThreadId, _>((start, Bound::Unbounded));
        let first = rest.by_ref().take(limit.max(1));
        let items: Vec<_> = first.map(|(thread, from)| UncountedThread::new(thread.clone(), *from)).collect();
        let last = items.last().filter(|_| rest.next().is_some());
        Ok(Page { next: last.map(|uncounted| page_token("uncounted", &uncounted.thread)), items })
    }

    pub(super) fn delete(&mut self, before: Option<&str>) {
        self.sums = before.map(|before| self.sums.split_off(before)).unwrap_or_default();
    }

    pub(super) fn delete_thread(&mut self, thread: &ThreadId) {
        self.uncounted.remove(thread);
    }
}
