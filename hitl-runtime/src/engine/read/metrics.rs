//! The numbers of the store's reviews, from its tallies or from its journals.

use std::pin::pin;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    Error, Place, ThreadId, Timestamp,
    engine::Engine,
    metrics::{JournalCounter, Metrics, first_group_of},
    store::{Backfill, UncountedThread},
};

/// The size of the pages of threads and tallies.
const PAGE: usize = 4_096;

/// The number of entries that are read at once, and the maximum that is counted in one transaction of the store.
const RANGE: usize = 128;

/// The number of journals that are counted at the same time.
const CONCURRENCY: usize = 8;

/// The maximum number of passes over the uncounted threads, if other processes count them at the same time.
const PASSES: usize = 3;

impl Engine {
    /// Returns the counts since the start of a day in UTC. A store that keeps tallies is first made to count the
    /// entries that were written without.
    pub async fn metrics(&self, since: Option<Timestamp>) -> Result<Metrics, Error> {
        let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
        match self.metrics_from_tallies(since).await? {
            Some(metrics) => Ok(metrics),
            None => self.recomputed_metrics(Some(since)).await,
        }
    }

    /// Returns the same counts from the journals of all threads that are still there.
    pub async fn recomputed_metrics(&self, since: Option<Timestamp>) -> Result<Metrics, Error> {
        let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
        let (mut metrics, mut after) = (Metrics::from_journals(), None::<String>);
        loop {
            let page = self.store.threads(None, after.as_deref(), PAGE).await?;
            for (thread, _) in &page.items {
                self.count_journal(thread, since, &mut metrics).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(metrics);
            }
        }
    }

    /// Deletes the tallies of the days before this one, in UTC.
    pub async fn delete_metrics(&self, before: Timestamp) -> Result<(), Error> {
        Ok(self.store.delete_tallies(Some(&first_group_of(before))).await?)
    }

    /// Returns `None` if the store has no tallies.
    async fn metrics_from_tallies(&self, since: Timestamp) -> Result<Option<Metrics>, Error> {
        let from = first_group_of(since);
        if self.store.tallies(&from, None, 1).await?.is_none() {
            return Ok(None);
        }
        let mut metrics = self.backfill(since).await?;
        let mut after = None::<String>;
        loop {
            let Some(page) = self.store.tallies(&from, after.as_deref(), PAGE).await? else {
                return Ok(None);
            };
            page.items.iter().for_each(|tally| metrics.read(tally, since));
            after = page.next;
            if after.is_none() {
                return Ok(Some(metrics));
            }
        }
    }

    async fn count_journal(
        &self,
        thread: &ThreadId,
        since: Timestamp,
        metrics: &mut Metrics,
    ) -> Result<(), Error> {
        let (mut counter, mut next) = (JournalCounter::default(), Place::START);
        loop {
            let records = self.store.entries(thread, next, RANGE).await?;
            let Some(end) = records.last() else { return Ok(()) };
            next = end.place.saturating_add(1);
            for record in &records {
                match counter.read(record) {
                    Ok(tally) => tally.iter().for_each(|tally| metrics.read(tally, since)),
                    Err(_) => metrics.skip(),
                }
            }
        }
    }

    /// Counts the entries that were written without tallies, by an older program for example. Returns the counts of
    /// those that stay uncounted.
    async fn backfill(&self, since: Timestamp) -> Result<Metrics, Error> {
        let mut pass = 1;
        loop {
            let (metrics, is_raced) = self.backfill_once(since).await?;
            if !is_raced || pass == PASSES {
                return Ok(metrics);
            }
            pass += 1;
        }
    }

    /// Counts each journal once, even if more are written during the pass. Returns also whether another process counted
    /// one of them at the same time.
    async fn backfill_once(&self, since: Timestamp) -> Result<(Metrics, bool), Error> {
        let (mut metrics, mut is_raced, mut after) = (Metrics::default(), false, None::<String>);
        loop {
            let page = self.store.uncounted(after.as_deref(), PAGE).await?;
            let journals = stream::iter(page.items).map(|uncounted| self.backfill_journal(uncounted, since));
            let mut journals = pin!(journals.buffer_unordered(CONCURRENCY));
            while let Some(rest) = journals.try_next().await? {
                match rest {
                    Some(rest) => metrics.add(&rest),
                    None => is_raced = true,
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok((metrics, is_raced));
            }
        }
    }

    /// Counts a journal in ranges, up to the first entry that cannot be read. That one and those after it stay
    /// uncounted, so that a program that can read it counts it; their counts are returned, for this report alone. So
    /// are those of all entries if the store cannot be written. Returns `None` if another process counts it at the same
    /// time.
    async fn backfill_journal(
        &self,
        mut uncounted: UncountedThread,
        since: Timestamp,
    ) -> Result<Option<Metrics>, Error> {
        // `false` from the first entry on that stays uncounted.
        let (mut counter, mut next, mut is_kept) = (JournalCounter::default(), Place::START, true);
        let mut rest = Metrics::default();
        loop {
            let records = self.store.entries(&uncounted.thread, next, RANGE).await?;
            let Some(end) = records.last() else { return Ok(Some(rest)) };
            next = end.place.saturating_add(1);
            let (mut tallies, mut last) = (Vec::new(), None);
            for record in &records {
                let read = counter.read(record);
                if record.place < uncounted.from {
                    continue;
                }
                match read {
                    Ok(tally) if is_kept => {
                        last = Some((record.place, record.hash));
                        tallies.extend(tally);
                    }
                    Ok(tally) => tally.iter().for_each(|tally| rest.read(tally, since)),
                    Err(_) => {
                        is_kept = false;
                        rest.skip();
                    }
                }
            }
            let Some((to, hash)) = last else { continue };
            let backfill = Backfill::new(uncounted.clone(), to, hash, tallies);
            let counted = backfill.tallies.clone();
            match self.store.backfill(backfill).await {
                Ok(true) => uncounted.from = to.saturating_add(1),
                // Another process counts this journal, or the thread was deleted.
                Ok(false) => return Ok(None),
                Err(_) => {
                    is_kept = false;
                    counted.iter().for_each(|tally| rest.read(tally, since));
                }
            }
        }
    }
}
