//! Cleanup intents: work that another process finishes if the process that began it crashes. An intent is written
//! before, or together with, the change that makes the cleanup necessary, and is deleted once the cleanup is done. Any
//! process that finds an old intent executes it.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    Shared,
    item::Item,
    key::{self, Id, Incarnation, Key, List, SHARDS},
    table::Range,
};
use crate::{StoreError, ThreadId, Timestamp};

/// The age from which processes other than its creator execute a cleanup intent. No append takes nearly as long.
pub(super) const MIN_AGE: Duration = Duration::from_secs(60 * 60);

/// The interval at which a process that lists due threads looks for old cleanup intents.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// The number of items that are processed concurrently. This many items of maximum size fit in one transaction,
/// together with a head.
pub(super) const CONCURRENCY: usize = 8;

/// A cleanup intent.
#[derive(Clone, Debug)]
pub(super) struct CleanupIntent {
    pub(super) key: Key,
    task: CleanupTask,
}

#[derive(Clone, Debug)]
enum CleanupTask {
    /// Parts to which no transaction refers.
    Parts { attempt: Id, count: u64 },
    /// The entries of a thread that was deleted.
    Entries { thread: ThreadId, incarnation: Incarnation },
    /// The entries of an ended thread, which must get the expiration time of its head.
    Expire { thread: ThreadId, incarnation: Incarnation },
}

/// A batch in the table, without its entries.
pub(super) struct StoredBatch {
    pub(super) key: Key,
    parts: Option<(Id, u64)>,
    pub(super) expires: Option<u64>,
}

impl StoredBatch {
    /// Returns the keys of the batch's parts.
    pub(super) fn parts(&self) -> impl Iterator<Item = Key> + use<> {
        self.parts
            .into_iter()
            .flat_map(|(attempt, count)| (0..count).map(move |number| Key::part(&attempt, number)))
    }
}

/// Returns the attempt and the number of the parts to which an item refers: a cleanup intent, or the entries of an
/// append.
pub(super) fn parts_reference(item: &Item) -> Option<(Id, u64)> {
    Some((Id::from_bytes(item.get_bytes("attempt")?)?, item.get_number("parts")?))
}

impl CleanupIntent {
    pub(super) fn parts(thread: &ThreadId, attempt: Id, count: u64) -> Self {
        Self {
            key: Key::cleanup_intent(thread, Shared::now(), &attempt),
            task: CleanupTask::Parts { attempt, count },
        }
    }

    pub(super) fn entries(thread: &ThreadId, incarnation: Incarnation, id: &Id) -> Self {
        let task = CleanupTask::Entries { thread: thread.clone(), incarnation };
        Self { key: Key::cleanup_intent(thread, Shared::now(), id), task }
    }

    pub(super) fn expire(thread: &ThreadId, incarnation: Incarnation, id: &Id) -> Self {
        let task = CleanupTask::Expire { thread: thread.clone(), incarnation };
        Self { key: Key::cleanup_intent(thread, Shared::now(), id), task }
    }

    pub(super) fn item(&self) -> Item {
        let item = self.key.item();
        match &self.task {
            CleanupTask::Parts { attempt, count } => {
                item.text("chore", "parts").bytes("attempt", attempt.as_bytes()).number("parts", *count)
            }
            CleanupTask::Entries { thread, incarnation } => item
                .text("chore", "entries")
                .text("thread", thread.as_str())
                .number("born", incarnation.number()),
            CleanupTask::Expire { thread, incarnation } => item
                .text("chore", "expire")
                .text("thread", thread.as_str())
                .number("born", incarnation.number()),
        }
    }

    /// Returns whether the intent is about the entries of that thread. Parts do not belong to a thread yet.
    fn is_of(&self, thread: &ThreadId) -> bool {
        match &self.task {
            CleanupTask::Parts { .. } => false,
            CleanupTask::Entries { thread: of, .. } | CleanupTask::Expire { thread: of, .. } => of == thread,
        }
    }

    fn from_item(item: &Item) -> Option<Self> {
        let thread = || ThreadId::existing(item.get_text("thread")?).ok();
        let incarnation = || item.get_number("born").map(Incarnation::new);
        let task = match item.get_text("chore")? {
            "parts" => {
                let (attempt, count) = parts_reference(item)?;
                CleanupTask::Parts { attempt, count }
            }
            "entries" => CleanupTask::Entries { thread: thread()?, incarnation: incarnation()? },
            "expire" => CleanupTask::Expire { thread: thread()?, incarnation: incarnation()? },
            _ => return None,
        };
        Some(Self { key: Key::from_item(item)?, task })
    }
}

impl Shared {
    /// Executes a cleanup intent and deletes it.
    pub(super) async fn execute(&self, intent: &CleanupIntent) -> Result<(), StoreError> {
        const DOING: &str = "execute a cleanup intent";
        match &intent.task {
            CleanupTask::Parts { attempt, count } => {
                // From here on no transaction can refer to the parts. If one already does, the intent no longer exists.
                if !self.table.set_or_remove(DOING, &intent.key, "taken", Some(1)).await? {
                    return Ok(());
                }
                self.delete_parts(*attempt, *count).await?;
            }
            CleanupTask::Entries { thread, incarnation } => self.delete_entries(thread, *incarnation).await?,
            CleanupTask::Expire { thread, incarnation } => self.set_expiry(thread, *incarnation).await?,
        }
        self.table.delete(DOING, &intent.key).await
    }

    /// Executes the cleanup intents in every shard that have at least this age, and returns their number.
    pub(super) async fn clean_up(&self, age: Duration) -> Result<usize, StoreError> {
        let shards: Vec<_> = (0..SHARDS).map(|shard| self.clean_up_shard(shard, age)).collect();
        let done: Vec<_> = stream::iter(shards).buffered(CONCURRENCY).collect().await;
        done.into_iter().sum()
    }

    /// Executes old cleanup intents and corrects the layout record of the table, at the first call and then once an hour.
    /// Failures are retried the next time.
    pub(super) async fn clean_up_if_due(&self) {
        let (now, before) = (Self::now(), self.last_cleanup.load(Relaxed));
        let is_early = now.saturating_since(Timestamp::from_millis(before)) < CLEANUP_INTERVAL;
        let is_first =
            || self.last_cleanup.compare_exchange(before, now.as_millis(), Relaxed, Relaxed).is_ok();
        if !is_early && is_first() {
            let _ = self.clean_up(MIN_AGE).await;
            let _ = self.check_layout().await;
        }
    }

    pub(super) async fn clean_up_shard(&self, shard: u8, age: Duration) -> Result<usize, StoreError> {
        // `0` sorts after the `/` that ends the time, so intents of this very time are included.
        let by = format!("{:016x}0", Self::now().saturating_sub(age).as_millis());
        self.execute_all(self.intents(shard, Some(by)).await?).await
    }

    /// Executes the cleanup intents of a deleted thread, regardless of their age.
    pub(super) async fn finish_deletion(&self, thread: &ThreadId) -> Result<(), StoreError> {
        let mut intents = self.intents(key::shard(thread), None).await?;
        intents.retain(|intent| intent.is_of(thread));
        self.execute_all(intents).await?;
        Ok(())
    }

    /// Returns the cleanup intents of a shard, oldest first.
    async fn intents(&self, shard: u8, to: Option<String>) -> Result<Vec<CleanupIntent>, StoreError> {
        let range = Range { to, ..Range::new(List::CleanupIntents.partition(shard)) };
        let items = self.table.query_all("list the cleanup intents", range).await?;
        Ok(items.iter().filter_map(CleanupIntent::from_item).collect())
    }

    /// Executes all cleanup intents, and only then returns the first error.
    async fn execute_all(&self, intents: Vec<CleanupIntent>) -> Result<usize, StoreError> {
        let mut done = Ok(0);
        for intent in &intents {
            let finished = self.execute(intent).await;
            done = done.and_then(|count| finished.map(|()| count + 1));
        }
        done
    }

    /// Deletes the entries of one incarnation of a thread, newest first, so that a concurrent reader sees at most the
    /// beginning of the journal.
    pub(super) async fn delete_entries(
        &self,
        thread: &ThreadId,
        incarnation: Incarnation,
    ) -> Result<(), StoreError> {
        let stored = self.batches(thread, incarnation).await?;
        for batches in stored.chunks(CONCURRENCY) {
            let deleted = batches.iter().map(|batch| async move {
                if let Some((attempt, count)) = batch.parts {
                    self.delete_parts(attempt, count).await?;
                }
                self.table.delete("delete a thread", &batch.key).await
            });
            stream::iter(deleted.collect::<Vec<_>>()).buffered(CONCURRENCY).try_collect::<()>().await?;
        }
        Ok(())
    }

    /// Returns the batches of one incarnation of a thread, newest first.
    pub(super) async fn batches(
        &self,
        thread: &ThreadId,
        incarnation: Incarnation,
    ) -> Result<Vec<StoredBatch>, StoreError> {
        let range = Range {
            to: Some(key::entry(u64::MAX.into())),
            backwards: true,
            only: Some("pk, sk, attempt, parts, expires"),
            ..Range::new(key::partition(thread))
        };
        let items = self.table.query_all("read a journal", range).await?;
        let of_this_incarnation =
            |key: &Key| key::read_batch(&key.sk).is_some_and(|(_, of)| of == incarnation);
        let stored = |item: &Item| {
            let key = Key::from_item(item).filter(of_this_incarnation)?;
            Some(StoredBatch { key, parts: parts_reference(item), expires: item.get_number("expires") })
        };
        Ok(items.iter().filter_map(stored).collect())
    }
}
