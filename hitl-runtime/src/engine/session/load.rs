//! The load of a thread from the store.

use futures_util::future::BoxFuture;

use super::lenient_load::load_strict;
use crate::{
    Error, Place, ThreadId,
    engine::Engine,
    journal::Fold,
    store::{Record, Tail},
    user_code::contain_panics,
};

impl Engine {
    /// Returns a thread as it is stored, or as other code left it; `None` if there is no such thread.
    pub(in crate::engine) async fn load(&self, thread: &ThreadId) -> Result<Option<Fold>, Error> {
        let Some(tail) = self.tail(thread).await? else { return Ok(None) };
        let fold = self.read_tail(thread, &tail)?;
        if self.keys.is_some() {
            let checked: BoxFuture<'_, _> = Box::pin(self.authenticate_signatures(&fold, &tail));
            checked.await?;
        }
        Ok(Some(fold))
    }

    /// Returns a thread as it is stored.
    pub(crate) async fn read(&self, thread: &ThreadId) -> Result<Fold, Error> {
        let fold = contain_panics(thread, self.load(thread)).await?;
        fold.ok_or_else(|| Error::UnknownThread { thread: thread.clone() })
    }

    /// Returns a thread as it was after the entry at a place.
    pub(crate) async fn read_at(&self, thread: &ThreadId, place: Place) -> Result<Fold, Error> {
        contain_panics(thread, self.fold_to(thread, place)).await
    }

    pub(in crate::engine) fn read_tail(&self, thread: &ThreadId, tail: &Tail) -> Result<Fold, Error> {
        let mut fold = load_strict(self.graph, thread, tail)?;
        self.bound_lease(&mut fold);
        Ok(fold)
    }

    /// Rebuilds a thread as it was at a place, by replaying its journal from the first entry.
    pub(in crate::engine) async fn fold_to(&self, thread: &ThreadId, place: Place) -> Result<Fold, Error> {
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
        load_strict(self.graph, thread, &Tail::new(records))
    }

    /// Reads every entry up to and including a place.
    async fn records_to(&self, thread: &ThreadId, place: Place) -> Result<Vec<Record>, Error> {
        let (mut records, mut next) = (Vec::new(), Place::START);
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
