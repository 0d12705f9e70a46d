//! Appends to a thread as other code left it: the entries change nothing that depends on the program's types.

use super::{
    entry_log::EntryLog,
    projection::{due, reviews, thread_status},
};
use crate::{
    Error,
    engine::Engine,
    journal::{Act, Entry, EntryRef, Event, Fold},
    store::{Append, Record},
};

impl Engine {
    /// Appends events to a thread without converting it to this program's code, and without a lease or a snapshot.
    ///
    /// # Errors
    /// A [`StoreError::Conflict`](crate::StoreError::Conflict) if another writer has appended since the thread was read.
    pub(in crate::engine) async fn append_unconverted(
        &self,
        fold: &mut Fold,
        events: Vec<Event>,
    ) -> Result<(), Error> {
        let (thread, after, now) = (fold.thread.clone(), fold.hash, self.clock.now());
        let (mut records, mut logs) = (Vec::with_capacity(events.len()), Vec::new());
        let mut tallies = Vec::new();
        for event in events {
            let entry = Entry { at: now, event, lease: None, spent: Vec::new(), snapshot: None };
            let place = fold.next;
            let damaged = |problem: String| Error::Damaged { thread: thread.clone(), place, problem };
            tallies.extend(self.counted(fold, &entry));
            fold.apply(&entry).map_err(|e| damaged(e.to_string()))?;
            logs.extend(EntryLog::of(self.graph, fold, &EntryRef::from(&entry)));
            let body = serde_json::to_vec(&EntryRef::from(&entry)).map_err(|e| damaged(e.to_string()))?;
            let record = Record::new(place, fold.hash, body);
            records.push(self.link(fold, Act::from_event(&entry.event), record).await?);
            fold.next = place + 1;
        }
        let append = Append::new(thread.clone(), records, thread_status(fold))
            .with_reviews(reviews(fold))
            .with_due(due(fold))
            .with_after(Some(after))
            .with_tallies(self.store.keeps_tallies().then_some(tallies));
        let history = self.history_of(&append);
        self.store.append(append).await?;
        self.publish(&thread, history);
        logs.iter().for_each(|log| log.emit(&thread, &fold.graph));
        Ok(())
    }
}
