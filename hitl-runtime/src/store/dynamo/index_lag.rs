//! Deferred index updates. A thousand open reviews that close at once are more rows than one transaction takes: the
//! append then marks the thread in its head and in a list of index lag markers, and the rows follow in further
//! transactions. A process that reads a list or appends to the thread first finishes the pending updates.

use super::{
    Shared,
    cleanup::{CleanupIntent, MIN_AGE},
    error,
    head::{HeadItem, IndexLag},
    head_cache::HeadUpdate,
    index::{self, Index, MAX_ROWS, Rows},
    key::{self, Id, Key, LAG_PARTITION},
    layout_upgrade::is_layout_record,
    table::Range,
    write::Write,
};
use crate::{StoreError, ThreadId};

const DOING: &str = "finish deferred index updates";

impl Shared {
    /// Finishes the pending updates of every thread. The inner result is the first error of a thread that could not be
    /// updated.
    pub(super) async fn finish_index_updates(&self) -> Result<Result<(), StoreError>, StoreError> {
        let mut all = Ok(());
        let markers = self.table.query_all(DOING, Range::new(LAG_PARTITION)).await?;
        self.note_layout(&markers);
        for item in markers.iter().filter(|item| !is_layout_record(item)) {
            let thread = Key::from_item(item).and_then(|key| ThreadId::existing(key.sk).ok());
            if let Some(thread) = thread {
                all = all.and(self.finish_index_update(&thread).await);
            }
        }
        Ok(all)
    }

    /// Finishes the pending updates of one thread. Several processes may do so concurrently, because each step replaces
    /// the head.
    pub(super) async fn finish_index_update(&self, thread: &ThreadId) -> Result<(), StoreError> {
        loop {
            let Some(head) = self.head(DOING, thread).await? else {
                return self.delete_lag_marker(thread).await;
            };
            let Some(lag) = head.lag else { return Ok(()) };
            let rows = match lag {
                IndexLag::Deleted => Rows::new(),
                IndexLag::Reviews => match self.rows_of_last_batch(thread, &head).await? {
                    Some(rows) => rows,
                    // The thread has changed or was deleted.
                    None => continue,
                },
            };
            if self.step(thread, &head, lag, &rows).await? {
                return Ok(());
            }
        }
    }

    /// Executes one transaction of an update; returns `true` after the last one. If another process was faster, the
    /// next read of the head shows it.
    async fn step(
        &self,
        thread: &ThreadId,
        head: &HeadItem,
        lag: IndexLag,
        rows: &Rows,
    ) -> Result<bool, StoreError> {
        let goal = match lag {
            IndexLag::Deleted => Index::default(),
            IndexLag::Reviews => {
                let goal = Index { blocks: index::blocks(rows), ..head.index.clone() };
                goal.with_blocks_after(&head.index)
            }
        };
        let next = head.index.step(&goal);
        if lag == IndexLag::Deleted && next == goal {
            return self.remove(thread, head).await;
        }
        // A program of the old layout may have begun the update.
        self.ensure_layout_record().await?;
        let token = Id::random()?;
        let mut writes = head.index.writes(&next, rows, thread);
        let is_done = next == goal;
        if is_done {
            writes.push(Write::delete(Key::lag_marker(thread)));
        }
        let next = HeadItem { index: next, lag: head.lag.filter(|_| !is_done), ..head.rewritten(token) };
        let update = self.update_head(DOING, thread, Some(head), (token, Some(&next)), writes).await?;
        Ok(is_done && matches!(update, HeadUpdate::Done))
    }

    /// Deletes the index lag marker of a thread that has no head, because DynamoDB may have deleted the expired head.
    async fn delete_lag_marker(&self, thread: &ThreadId) -> Result<(), StoreError> {
        let row = vec![Write::delete(Key::lag_marker(thread))];
        self.update_head(DOING, thread, None, (Id::random()?, None), row).await?;
        Ok(())
    }

    /// Returns the rows of the reviews in the last batch; `None` if the thread has changed concurrently.
    async fn rows_of_last_batch(
        &self,
        thread: &ThreadId,
        head: &HeadItem,
    ) -> Result<Option<Rows>, StoreError> {
        let last = head.next.saturating_sub(1);
        let batch = match self.table.get(DOING, &Key::batch(thread, last, head.incarnation)).await? {
            Some(item) => self.read_batch(thread, &item, last).await?,
            None => None,
        };
        match batch.map(|batch| batch.reviews) {
            Some(Some(reviews)) => Ok(Some(index::rows(&reviews))),
            _ if self.head(DOING, thread).await?.as_ref() == Some(head) => {
                Err(error::incomplete(&self.table.name, thread, "the list of open reviews"))
            }
            _ => Ok(None),
        }
    }

    pub(super) async fn delete(&self, thread: &ThreadId) -> Result<(), StoreError> {
        loop {
            let Some(head) = self.head("delete a thread", thread).await? else {
                return self.finish_deletion(thread).await;
            };
            if head.lag == Some(IndexLag::Deleted) {
                self.finish_index_update(thread).await?;
            } else if head.index.distance(&Index::default()) <= MAX_ROWS {
                if self.remove(thread, &head).await? {
                    return self.finish_deletion(thread).await;
                }
            } else {
                let token = Id::random()?;
                let gone = HeadItem { lag: Some(IndexLag::Deleted), ..head.rewritten(token) };
                let along = vec![Write::put(Key::lag_marker(thread).item())];
                self.update_head("delete a thread", thread, Some(&head), (token, Some(&gone)), along).await?;
            }
        }
    }

    /// Deletes a head and its rows, and then its entries. Returns `false` if the head was not the expected one.
    async fn remove(&self, thread: &ThreadId, head: &HeadItem) -> Result<bool, StoreError> {
        let token = Id::random()?;
        let intent = CleanupIntent::entries(thread, head.incarnation, &token);
        let mut writes = head.index.writes(&Index::default(), &Rows::new(), thread);
        writes.push(Write::put(intent.item()));
        if head.lag.is_some() {
            writes.push(Write::delete(Key::lag_marker(thread)));
        }
        let update = self.update_head("delete a thread", thread, Some(head), (token, None), writes).await?;
        if !matches!(update, HeadUpdate::Done) {
            return Ok(false);
        }
        self.execute(&intent).await?;
        let _ = self.clean_up_shard(key::shard(thread), MIN_AGE).await;
        Ok(true)
    }
}
