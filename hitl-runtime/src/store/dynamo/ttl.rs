//! The expiration time (TTL) on the entries of an ended thread. The head gets the time first and loses it last, so that
//! no entry expires before its head. Every step replaces the head: if one process sets the time while another one
//! continues the thread, the later one notices the change of the other. A cleanup intent covers both against a crash.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    Shared,
    cleanup::{CONCURRENCY, CleanupIntent, StoredBatch},
    error,
    head::HeadItem,
    head_cache::HeadUpdate,
    key::{Id, Incarnation},
    write::Write,
};
use crate::{StoreError, ThreadId};

const DOING: &str = "set the expiration time of a thread";

/// An ended thread whose entries do not expire any more, so that it can be continued.
pub(super) struct RevivedThread {
    pub(super) head: HeadItem,
    /// The cleanup intent that sets the expiration time of the entries again if the thread is not continued.
    pub(super) intent: CleanupIntent,
}

impl Shared {
    /// Sets the expiration time of the head on the entries of one incarnation of a thread. Deletes the entries if the
    /// head no longer exists.
    pub(super) async fn set_expiry(
        &self,
        thread: &ThreadId,
        incarnation: Incarnation,
    ) -> Result<(), StoreError> {
        let mut head = self.head(DOING, thread).await?;
        loop {
            let Some(found) = head.filter(|head| head.incarnation == incarnation) else {
                return self.delete_entries(thread, incarnation).await;
            };
            // A process that continued the thread has removed the time from its entries before.
            let Some(expires) = found.index.expires else { return Ok(()) };
            match self.set_expiry_on_entries(thread, found, expires).await? {
                HeadUpdate::Done => return Ok(()),
                HeadUpdate::Conflict(now) => head = now,
                HeadUpdate::ConditionFailed => {
                    let problem = format!(
                        "could not {DOING}: DynamoDB has begun to delete thread `{thread}`; retry later"
                    );
                    return Err(error::failure(&self.table.name, problem));
                }
            }
        }
    }

    /// Sets the time as long as no other process changes the head. Items that have it already are skipped.
    async fn set_expiry_on_entries(
        &self,
        thread: &ThreadId,
        mut head: HeadItem,
        expires: u64,
    ) -> Result<HeadUpdate, StoreError> {
        let batches = self.batches(thread, head.incarnation).await?;
        let batches = batches.into_iter().filter(|batch| batch.expires != Some(expires));
        // A batch comes after its parts: if the batch has the time, so do the parts.
        let keys: Vec<_> = batches.flat_map(|batch| batch.parts().chain([batch.key.clone()])).collect();
        for keys in keys.chunks(CONCURRENCY) {
            let token = Id::random()?;
            let next = head.rewritten(token);
            let along = keys.iter().map(|key| Write::expire(key.clone(), expires)).collect();
            match self.update_head(DOING, thread, Some(&head), (token, Some(&next)), along).await? {
                HeadUpdate::Done => head = next,
                otherwise => return Ok(otherwise),
            }
        }
        Ok(HeadUpdate::Done)
    }

    /// Removes the time from the entries of a thread that is being continued, while its head still has it. The inner
    /// `Err` means that the head was not the expected one.
    pub(super) async fn revive(
        &self,
        thread: &ThreadId,
        head: &HeadItem,
    ) -> Result<Result<RevivedThread, HeadUpdate>, StoreError> {
        let token = Id::random()?;
        let intent = CleanupIntent::expire(thread, head.incarnation, &token);
        let next = head.rewritten(token);
        let along = vec![Write::put(intent.item())];
        match self.update_head(DOING, thread, Some(head), (token, Some(&next)), along).await? {
            HeadUpdate::Done => {}
            otherwise => return Ok(Err(otherwise)),
        }
        let batches = self.batches(thread, head.incarnation).await?;
        let cleared: Vec<_> = batches.iter().map(|batch| self.clear_expiry(batch)).collect();
        stream::iter(cleared).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        Ok(Ok(RevivedThread { head: next, intent }))
    }

    /// Removes the time from a batch before its parts: if the batch has the time, so do the parts.
    async fn clear_expiry(&self, batch: &StoredBatch) -> Result<(), StoreError> {
        self.table.set_or_remove(DOING, &batch.key, "expires", None).await?;
        for part in batch.parts() {
            self.table.set_or_remove(DOING, &part, "expires", None).await?;
        }
        Ok(())
    }
}
