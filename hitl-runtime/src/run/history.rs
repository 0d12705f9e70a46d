//! The history of a thread: its journal entries, page by page, and its state after any entry.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;

use super::{
    Agent, Graph, HistoryEntry, agent::Engine, history_entry::shown, lenient_load::load_strict, thread_state,
    thread_writer::thread_status,
};
use crate::{
    Digest, Error, Place, ThreadId, ThreadStatus,
    journal::{Fold, genesis, link, split},
    state::State,
    store::{Record, Tail},
    unicode,
    user_code::contain_panics,
};

/// The state of a thread after the entry at a place.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{Snapshot, ThreadStatus};
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?;
/// let Snapshot { place, standing, fields } = agent.get(&"ticket-A-9133".try_into()?).await?;
/// assert_eq!((place, standing), (2, ThreadStatus::Waiting));
/// assert_eq!(fields.draft.map(|draft| draft.dollars), Some(149));
/// assert_eq!(fields.outcome, None);
/// # Ok(())
/// # }
/// ```
pub struct Snapshot<S: State> {
    /// The place of the last entry that the snapshot includes.
    pub place: Place,
    /// The status of the thread after that entry.
    pub standing: ThreadStatus,
    /// The fields that were written by then, each an `Option`. Inside a fork these are the fields as they were before
    /// the fork.
    pub fields: S::Fields,
}

impl<G: Graph> Agent<G> {
    /// Returns at most `limit` entries, starting at a place, oldest first. It returns fewer only at the end of the
    /// journal.
    ///
    /// If the agent has journal keys, the entries are authenticated. Without keys their origin is not checked: a
    /// program without keys can read a thread before [`Agent::adopt`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// let entries = agent.history(&"ticket-A-9133".try_into()?, 0, 100).await?;
    /// let events: Vec<&str> = entries.iter().map(|entry| entry.event.name()).collect();
    /// assert_eq!(events, ["started", "ran", "paused"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownThread`], [`Error::Damaged`] if an entry cannot be read, and [`Error::Unauthenticated`] if an
    /// entry was not written by a holder of the journal keys.
    pub async fn history(
        &self,
        thread: &ThreadId,
        from: Place,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        self.inner.history(thread, from, limit).await
    }

    /// Returns the current state of a thread.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// let now = agent.get(&"ticket-A-9133".try_into()?).await?;
    /// assert_eq!(now.fields.draft.map(|draft| draft.dollars), Some(149));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::thread`].
    pub async fn get(&self, thread: &ThreadId) -> Result<Snapshot<G::State>, Error> {
        let read = async {
            let fold = self.inner.load(thread).await?;
            snapshot::<G>(fold.ok_or_else(|| Error::UnknownThread { thread: thread.clone() })?)
        };
        contain_panics(thread, read).await
    }

    /// Returns the state of a thread after the entry at a place.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// // Place 0 is the start: nothing was drafted yet.
    /// let then = agent.get_at(&"ticket-A-9133".try_into()?, 0).await?;
    /// assert_eq!(then.fields.draft, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::thread`], and [`Error::NoSuchPlace`] if the place is past the end of the journal.
    pub async fn get_at(&self, thread: &ThreadId, place: Place) -> Result<Snapshot<G::State>, Error> {
        contain_panics(thread, async { snapshot::<G>(self.inner.fold_to(thread, place).await?) }).await
    }
}

impl Engine {
    /// Returns a part of a thread's history: [`Agent::history`].
    pub(crate) async fn history(
        &self,
        thread: &ThreadId,
        from: Place,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        let records = self.records(thread, from, limit).await?;
        if records.is_empty() && self.store.entries(thread, 0, 1).await?.is_empty() {
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

    /// Rebuilds a thread as it was at a place, by replaying its journal from the first entry.
    pub(super) async fn fold_to(&self, thread: &ThreadId, place: Place) -> Result<Fold, Error> {
        if self.keys.is_some() {
            let checked: BoxFuture<'_, _> = Box::pin(self.authenticate_whole(thread));
            checked.await?;
        }
        let mut fold: Fold = Fold::empty(self.graph.state, thread.clone());
        while fold.next <= place {
            let records = self.store.entries(thread, fold.next, 256).await?;
            if records.is_empty() {
                return Err(match fold.next.checked_sub(1) {
                    Some(head) => Error::NoSuchPlace { thread: thread.clone(), place, head },
                    None => Error::UnknownThread { thread: thread.clone() },
                });
            }
            let mut read = records.iter().filter(|record| record.place <= place);
            if read.any(|record| fold.read(record.place, record.hash, &record.body).is_err()) {
                return self.load_strict_to(thread, place).await;
            }
        }
        if fold.decode_all().is_err() { self.load_strict_to(thread, place).await } else { Ok(fold) }
    }

    /// Reads a thread up to and including a place again, to report every incompatibility and not only the first.
    async fn load_strict_to(&self, thread: &ThreadId, place: Place) -> Result<Fold, Error> {
        let records = self.records_to(thread, place).await?;
        load_strict(self.graph, thread, &Tail { before: None, records })
    }

    /// Reads every entry up to and including a place.
    async fn records_to(&self, thread: &ThreadId, place: Place) -> Result<Vec<Record>, Error> {
        let (mut records, mut next) = (Vec::new(), 0);
        loop {
            let page = self.store.entries(thread, next, 256).await?;
            let Some(last) = page.last() else { return Ok(records) };
            next = last.place + 1;
            records.extend(page.into_iter().filter(|record| record.place <= place));
            if next > place {
                return Ok(records);
            }
        }
    }
}

fn damaged(thread: &ThreadId, place: Place, problem: &str) -> Error {
    Error::Damaged { thread: thread.clone(), place, problem: problem.to_owned() }
}

fn snapshot<G: Graph>(fold: Fold) -> Result<Snapshot<G::State>, Error> {
    let (standing, place) = (thread_status(&fold), fold.next.saturating_sub(1));
    let (_, fields) = thread_state::fields::<G>(fold)?;
    Ok(Snapshot { place, standing, fields })
}
