//! The numbers of the store's reviews, from its tallies or from its journals.

use std::pin::pin;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    Error, Place, Timestamp,
    engine::Engine,
    metrics::{JournalCounter, Metrics, first_group_of},
    store::{LateTallies, Untallied},
};

/// The size of the pages of threads and tallies.
const PAGE: usize = 4_096;

/// The number of journals that are counted at the same time.
const CONCURRENCY: usize = 64;

impl Engine {
    /// Returns the counts since the start of a day in UTC. A store that keeps tallies is first made to count the
    /// entries that were written without.
    pub async fn metrics(&self, since: Option<Timestamp>) -> Result<Metrics, Error> {
        let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
        let from = first_group_of(since);
        if self.store.tallies(&from, None, 1).await?.is_none() {
            return self.recomputed_metrics(Some(since)).await;
        }
        self.count_untallied().await?;
        let (mut metrics, mut after) = (Metrics::default(), None::<String>);
        while let Some(page) = self.store.tallies(&from, after.as_deref(), PAGE).await? {
            page.items.iter().for_each(|tally| metrics.read(tally, since));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(metrics)
    }

    /// Returns the same counts from the journals of all threads that are still there.
    pub async fn recomputed_metrics(&self, since: Option<Timestamp>) -> Result<Metrics, Error> {
        let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
        let (mut metrics, mut after) = (Metrics::default(), None::<String>);
        loop {
            let page = self.store.threads(None, after.as_deref(), PAGE).await?;
            for (thread, _) in page.items {
                let (counter, _) = self.count_journal(&Untallied::new(thread, Place::START)).await?;
                counter.tallies.iter().for_each(|tally| metrics.read(tally, since));
            }
            after = page.next;
            if after.is_none() {
                return Ok(metrics);
            }
        }
    }

    /// Counts the entries that were written without tallies, by an older program for example.
    async fn count_untallied(&self) -> Result<(), Error> {
        loop {
            let found = self.store.untallied(PAGE).await?;
            let mut is_over = true;
            let added = stream::iter(found).map(|untallied| self.add_late(untallied));
            let mut added = pin!(added.buffer_unordered(CONCURRENCY));
            while let Some(is_added) = added.try_next().await? {
                is_over &= !is_added;
            }
            if is_over {
                return Ok(());
            }
        }
    }

    /// Counts the rest of a journal. Returns `false` if it was not added: another process was faster, or the thread is
    /// another one now.
    async fn add_late(&self, untallied: Untallied) -> Result<bool, Error> {
        let (counter, Some((to, hash))) = self.count_journal(&untallied).await? else { return Ok(false) };
        Ok(self.store.tally(LateTallies::new(untallied, to, hash, counter.tallies)).await?)
    }

    /// Reads a journal, and counts its entries from a place on. Returns the place and the hash of the last entry too.
    async fn count_journal(
        &self,
        untallied: &Untallied,
    ) -> Result<(JournalCounter, Option<(Place, crate::Digest)>), Error> {
        let (mut counter, mut next, mut last) = (JournalCounter::default(), Place::START, None);
        loop {
            let records = self.store.entries(&untallied.thread, next, 256).await?;
            let Some(end) = records.last() else { return Ok((counter, last)) };
            last = Some((end.place, end.hash));
            next = end.place.saturating_add(1);
            records.iter().for_each(|record| counter.read(record, untallied.from));
        }
    }
}
