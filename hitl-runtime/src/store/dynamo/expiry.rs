//! The expiration time (TTL) on the entries of an ended thread. The head gets the time first and loses it last, so that
//! no entry expires before its head. Every step replaces the head: if one process sets the time while another one
//! continues the thread, the later one notices the change of the other. A cleanup intent covers both against a crash.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    Shared,
    chore::{AT_ONCE, Chore, Kept},
    head::Head,
    heads::Moved,
    key::{Born, Id},
    trouble,
    write::Write,
};
use crate::{StoreError, ThreadId};

const DOING: &str = "set the expiration time of a thread";

/// An ended thread whose entries do not expire any more, so that it can be continued.
pub(super) struct Awake {
    pub(super) head: Head,
    /// The cleanup intent that sets the expiration time of the entries again if the thread is not continued.
    pub(super) chore: Chore,
}

impl Shared {
    /// Sets the expiration time of the head on the entries of one incarnation of a thread. Deletes the entries if the
    /// head no longer exists.
    pub(super) async fn stamp(&self, thread: &ThreadId, born: Born) -> Result<(), StoreError> {
        let mut head = self.head(DOING, thread).await?;
        loop {
            let Some(found) = head.filter(|head| head.born == born) else {
                return self.delete_entries(thread, born).await;
            };
            // A process that continued the thread has removed the time from its entries before.
            let Some(expires) = found.index.expires else { return Ok(()) };
            match self.stamp_while(thread, found, expires).await? {
                Moved::Yes => return Ok(()),
                Moved::No(now) => head = now,
                Moved::Refused => {
                    let problem = format!(
                        "could not {DOING}: DynamoDB has begun to delete thread `{thread}`; retry later"
                    );
                    return Err(trouble::broken(&self.table.name, problem));
                }
            }
        }
    }

    /// Sets the time as long as no other process changes the head. Items that have it already are skipped.
    async fn stamp_while(
        &self,
        thread: &ThreadId,
        mut head: Head,
        expires: u64,
    ) -> Result<Moved, StoreError> {
        let batches = self.batches(thread, head.born).await?;
        let batches = batches.into_iter().filter(|batch| batch.expires != Some(expires));
        // A batch comes after its parts: if the batch has the time, so do the parts.
        let keys: Vec<_> = batches.flat_map(|batch| batch.parts().chain([batch.key.clone()])).collect();
        for keys in keys.chunks(AT_ONCE) {
            let token = Id::draw()?;
            let next = Head { by: token, ..head.clone() };
            let along = keys.iter().map(|key| Write::expire(key.clone(), expires)).collect();
            match self.move_head(DOING, thread, Some(&head), (token, Some(&next)), along).await? {
                Moved::Yes => head = next,
                otherwise => return Ok(otherwise),
            }
        }
        Ok(Moved::Yes)
    }

    /// Removes the time from the entries of a thread that is being continued, while its head still has it. The inner
    /// `Err` means that the head was not the expected one.
    pub(super) async fn wake(
        &self,
        thread: &ThreadId,
        head: &Head,
    ) -> Result<Result<Awake, Moved>, StoreError> {
        let token = Id::draw()?;
        let chore = Chore::expire(thread, head.born, &token);
        let next = Head { by: token, ..head.clone() };
        let along = vec![Write::put(chore.item())];
        match self.move_head(DOING, thread, Some(head), (token, Some(&next)), along).await? {
            Moved::Yes => {}
            otherwise => return Ok(Err(otherwise)),
        }
        let batches = self.batches(thread, head.born).await?;
        let woken: Vec<_> = batches.iter().map(|batch| self.take_time(batch)).collect();
        stream::iter(woken).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(Ok(Awake { head: next, chore }))
    }

    /// Removes the time from a batch before its parts: if the batch has the time, so do the parts.
    async fn take_time(&self, batch: &Kept) -> Result<(), StoreError> {
        self.table.mark(DOING, &batch.key, "expires", None).await?;
        for part in batch.parts() {
            self.table.mark(DOING, &part, "expires", None).await?;
        }
        Ok(())
    }
}
