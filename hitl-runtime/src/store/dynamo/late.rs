//! Deferred index updates. A thousand open reviews that close at once are more rows than one transaction takes: the
//! append then marks the thread in its head and in a list of index lag markers, and the rows follow in further
//! transactions. A process that reads a list or appends to the thread first finishes the pending updates.

use super::{
    Shared,
    chore::{Chore, LEFT_ALONE},
    head::{Head, Late},
    heads::Moved,
    index::{self, Index, MOST_ROWS, Rows},
    key::{self, Id, Key, LATE},
    table::Range,
    trouble,
    write::Write,
};
use crate::{StoreError, ThreadId};

const DOING: &str = "finish deferred index updates";

impl Shared {
    /// Finishes the pending updates of every thread. The inner result is the first error of a thread that could not be
    /// updated.
    pub(super) async fn catch_up_all(&self) -> Result<Result<(), StoreError>, StoreError> {
        let mut all = Ok(());
        for item in self.table.query_all(DOING, Range::of(LATE)).await? {
            let thread = Key::of(&item).and_then(|key| ThreadId::existing(key.sk).ok());
            if let Some(thread) = thread {
                all = all.and(self.catch_up(&thread).await);
            }
        }
        Ok(all)
    }

    /// Finishes the pending updates of one thread. Several processes may do so concurrently, because each step replaces
    /// the head.
    pub(super) async fn catch_up(&self, thread: &ThreadId) -> Result<(), StoreError> {
        loop {
            let Some(head) = self.head(DOING, thread).await? else { return self.cross_off(thread).await };
            let Some(late) = head.late else { return Ok(()) };
            let rows = match late {
                Late::Gone => Rows::new(),
                Late::Reviews => match self.named_rows(thread, &head).await? {
                    Some(rows) => rows,
                    // The thread has changed or was deleted.
                    None => continue,
                },
            };
            if self.step(thread, &head, late, &rows).await? {
                return Ok(());
            }
        }
    }

    /// Executes one transaction of an update; returns `true` after the last one. If another process was faster, the
    /// next read of the head shows it.
    async fn step(
        &self,
        thread: &ThreadId,
        head: &Head,
        late: Late,
        rows: &Rows,
    ) -> Result<bool, StoreError> {
        let goal = match late {
            Late::Gone => Index::default(),
            Late::Reviews => Index { blocks: index::blocks(rows), ..head.index.clone() },
        };
        let next = head.index.step(&goal);
        if late == Late::Gone && next == goal {
            return self.remove(thread, head).await;
        }
        let token = Id::draw()?;
        let mut writes = head.index.writes(&next, rows, thread);
        let is_done = next == goal;
        if is_done {
            writes.push(Write::delete(Key::late(thread)));
        }
        let next = Head { index: next, by: token, late: head.late.filter(|_| !is_done), ..head.clone() };
        let moved = self.move_head(DOING, thread, Some(head), (token, Some(&next)), writes).await?;
        Ok(is_done && matches!(moved, Moved::Yes))
    }

    /// Deletes the index lag marker of a thread that has no head, because DynamoDB may have deleted the expired head.
    async fn cross_off(&self, thread: &ThreadId) -> Result<(), StoreError> {
        let row = vec![Write::delete(Key::late(thread))];
        self.move_head(DOING, thread, None, (Id::draw()?, None), row).await?;
        Ok(())
    }

    /// Returns the rows of the reviews in the last batch; `None` if the thread has changed concurrently.
    async fn named_rows(&self, thread: &ThreadId, head: &Head) -> Result<Option<Rows>, StoreError> {
        let last = head.next.saturating_sub(1);
        let batch = match self.table.get(DOING, &Key::batch(thread, last, head.born)).await? {
            Some(item) => self.read_batch(thread, &item, last).await?,
            None => None,
        };
        match batch.map(|batch| batch.reviews) {
            Some(Some(reviews)) => Ok(Some(index::rows(&reviews))),
            _ if self.head(DOING, thread).await?.as_ref() == Some(head) => {
                Err(trouble::incomplete(&self.table.name, thread, "the list of open reviews"))
            }
            _ => Ok(None),
        }
    }

    pub(super) async fn delete(&self, thread: &ThreadId) -> Result<(), StoreError> {
        loop {
            let Some(head) = self.head("delete a thread", thread).await? else {
                return self.finish_deletion(thread).await;
            };
            if head.late == Some(Late::Gone) {
                self.catch_up(thread).await?;
            } else if head.index.distance(&Index::default()) <= MOST_ROWS {
                if self.remove(thread, &head).await? {
                    return self.finish_deletion(thread).await;
                }
            } else {
                let token = Id::draw()?;
                let gone = Head { by: token, late: Some(Late::Gone), ..head.clone() };
                let along = vec![Write::put(Key::late(thread).item())];
                self.move_head("delete a thread", thread, Some(&head), (token, Some(&gone)), along).await?;
            }
        }
    }

    /// Deletes a head and its rows, and then its entries. Returns `false` if the head was not the expected one.
    async fn remove(&self, thread: &ThreadId, head: &Head) -> Result<bool, StoreError> {
        let token = Id::draw()?;
        let chore = Chore::entries(thread, head.born, &token);
        let mut writes = head.index.writes(&Index::default(), &Rows::new(), thread);
        writes.push(Write::put(chore.item()));
        if head.late.is_some() {
            writes.push(Write::delete(Key::late(thread)));
        }
        let moved = self.move_head("delete a thread", thread, Some(head), (token, None), writes).await?;
        if !matches!(moved, Moved::Yes) {
            return Ok(false);
        }
        self.finish(&chore).await?;
        let _ = self.tidy_shard(key::shard(thread), LEFT_ALONE).await;
        Ok(true)
    }
}
