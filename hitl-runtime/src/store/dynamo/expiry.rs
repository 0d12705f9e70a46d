//! The time at which DynamoDB forgets what has ended, on the entries of a thread. The head comes to it first and loses it
//! last, so that no entry is ever forgotten before its head. Every step moves the head, so that of one who sets the
//! time and one who goes on with the thread, the later one sees what the other has done. Behind both stands a chore.

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

const DOING: &str = "set the time at which a thread is forgotten";

/// A thread that may go on after its end.
pub(super) struct Awake {
    pub(super) head: Head,
    /// Gives its entries their time again, should it not go on.
    pub(super) chore: Chore,
}

impl Shared {
    /// Gives the entries of one life of a thread the time of its head. Where that head is gone, they go too.
    pub(super) async fn stamp(&self, thread: &ThreadId, born: Born) -> Result<(), StoreError> {
        let mut head = self.head(DOING, thread).await?;
        loop {
            let Some(found) = head.filter(|head| head.born == born) else {
                return self.delete_entries(thread, born).await;
            };
            // Whoever has gone on with it has taken the time from its entries before.
            let Some(expires) = found.index.expires else { return Ok(()) };
            match self.stamp_while(thread, found, expires).await? {
                Moved::Yes => return Ok(()),
                Moved::No(now) => head = now,
                Moved::Refused => {
                    let problem =
                        format!("could not {DOING}: DynamoDB has begun to forget thread `{thread}`");
                    return Err(trouble::broken(&self.table.name, problem));
                }
            }
        }
    }

    /// Sets the time for as long as nobody else moves the head. What bears it already is left alone.
    async fn stamp_while(
        &self,
        thread: &ThreadId,
        mut head: Head,
        expires: u64,
    ) -> Result<Moved, StoreError> {
        let batches = self.batches(thread, head.born).await?;
        let batches = batches.into_iter().filter(|batch| batch.expires != Some(expires));
        // A batch comes after its parts: where it bears the time, they do.
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

    /// Takes the time from the entries of a thread that is to go on, while its head still has it; `Err` where the head
    /// is not what it was held to be.
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

    /// The batch before its parts: where it bears the time, they do.
    async fn take_time(&self, batch: &Kept) -> Result<(), StoreError> {
        self.table.mark(DOING, &batch.key, "expires", None).await?;
        for part in batch.parts() {
            self.table.mark(DOING, &part, "expires", None).await?;
        }
        Ok(())
    }
}
