//! The history of a thread: its journal entries, page by page.

use std::collections::BTreeSet;

use crate::{
    Digest, Error, Place, ThreadId,
    engine::{
        Engine,
        session::{HistoryEntry, shown},
    },
    journal::{genesis, link, split},
    store::Record,
    unicode,
};

impl Engine {
    /// Returns at most `limit` entries of a thread's journal, starting at a place.
    pub async fn history(
        &self,
        thread: &ThreadId,
        from: Place,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        let records = self.records(thread, from, limit).await?;
        if records.is_empty() && self.store.entries(thread, Place::START, 1).await?.is_empty() {
            return Err(Error::UnknownThread { thread: thread.clone() });
        }
        let mut before = self.hash_before(thread, from).await?;
        self.authenticate_page(thread, before, &records).await?;
        let mut history = Vec::with_capacity(records.len());
        for record in records {
            before = match before {
                Some(hash) if link(hash, &record.body) != record.hash => {
                    return Err(damaged(
                        thread,
                        record.place,
                        "its hash does not follow from the entry before it",
                    ));
                }
                _ => Some(record.hash),
            };
            history.push(shown(thread, &record)?);
        }
        let names: BTreeSet<String> = history.iter().filter_map(|e| e.name().map(str::to_owned)).collect();
        for entry in &mut history {
            if let Some(name) = entry.name() {
                entry.marks = unicode::marks(name, names.iter().map(String::as_str));
            }
        }
        Ok(history)
    }

    /// Authenticates a page of a journal. Entries without a MAC are authenticated together with the whole journal,
    /// because an entry after this page may have adopted them.
    async fn authenticate_page(
        &self,
        thread: &ThreadId,
        before: Option<Digest>,
        page: &[Record],
    ) -> Result<(), Error> {
        if page.iter().any(|record| split(&record.body).is_none()) {
            return self.authenticate_among(thread, page).await;
        }
        self.authenticate_records(thread, before, page).await
    }

    /// Reads up to `limit` records. A store may return fewer records than requested if its own pages are smaller; only
    /// an empty page marks the end of the journal.
    async fn records(&self, thread: &ThreadId, from: Place, limit: usize) -> Result<Vec<Record>, Error> {
        let mut records: Vec<Record> = Vec::new();
        let mut next = Some(from);
        while let Some(place) = next.filter(|_| records.len() < limit) {
            let page = self.store.entries(thread, place, limit - records.len()).await?;
            next = page.last().and_then(|last| last.place.checked_add(1));
            records.extend(page);
        }
        Ok(records)
    }

    /// Returns the hash of the entry before a place, or the genesis hash for place 0. `None` if there is no such entry.
    async fn hash_before(&self, thread: &ThreadId, place: Place) -> Result<Option<Digest>, Error> {
        let Some(before) = place.checked_sub(1) else { return Ok(Some(genesis(thread.as_str()))) };
        let records = self.store.entries(thread, before, 1).await?;
        Ok(records.first().filter(|record| record.place == before).map(|record| record.hash))
    }
}

fn damaged(thread: &ThreadId, place: Place, problem: &str) -> Error {
    Error::Damaged { thread: thread.clone(), place, problem: problem.to_owned() }
}
