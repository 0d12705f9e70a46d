//! Cleanup intents: work that another process finishes if the process that began it crashes. An intent is written
//! before, or together with, the change that makes the cleanup necessary, and is deleted once the cleanup is done. Any
//! process that finds an old intent executes it.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    Shared,
    item::Item,
    key::{self, Born, Id, Key, List, SHARDS},
    table::Range,
};
use crate::{StoreError, ThreadId};

/// The age from which processes other than its creator execute a cleanup intent. No append takes nearly as long.
pub(super) const LEFT_ALONE: Duration = Duration::from_secs(60 * 60);

/// The interval at which a process that lists due threads looks for old cleanup intents.
const NOW_AND_THEN: Duration = Duration::from_secs(60 * 60);

/// The number of items that are processed concurrently. This many items of maximum size fit in one transaction,
/// together with a head.
pub(super) const AT_ONCE: usize = 8;

/// A cleanup intent.
#[derive(Clone, Debug)]
pub(super) struct Chore {
    pub(super) key: Key,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// Parts to which no transaction refers.
    Parts { attempt: Id, count: u64 },
    /// The entries of a thread that was deleted.
    Entries { thread: ThreadId, born: Born },
    /// The entries of an ended thread, which must get the expiration time of its head.
    Expire { thread: ThreadId, born: Born },
}

/// A batch in the table, without its entries.
pub(super) struct Kept {
    pub(super) key: Key,
    parts: Option<(Id, u64)>,
    pub(super) expires: Option<u64>,
}

impl Kept {
    /// Returns the keys of the batch's parts.
    pub(super) fn parts(&self) -> impl Iterator<Item = Key> + use<> {
        self.parts
            .into_iter()
            .flat_map(|(attempt, count)| (0..count).map(move |number| Key::part(&attempt, number)))
    }
}

/// Returns the attempt and the number of the parts to which an item refers: a cleanup intent, or the entries of an
/// append.
pub(super) fn named_parts(item: &Item) -> Option<(Id, u64)> {
    Some((Id::read(item.get_bytes("attempt")?)?, item.get_number("parts")?))
}

impl Chore {
    pub(super) fn parts(thread: &ThreadId, attempt: Id, count: u64) -> Self {
        Self { key: Key::chore(thread, Shared::now_ms(), &attempt), what: What::Parts { attempt, count } }
    }

    pub(super) fn entries(thread: &ThreadId, born: Born, id: &Id) -> Self {
        let what = What::Entries { thread: thread.clone(), born };
        Self { key: Key::chore(thread, Shared::now_ms(), id), what }
    }

    pub(super) fn expire(thread: &ThreadId, born: Born, id: &Id) -> Self {
        let what = What::Expire { thread: thread.clone(), born };
        Self { key: Key::chore(thread, Shared::now_ms(), id), what }
    }

    pub(super) fn item(&self) -> Item {
        let item = self.key.item();
        match &self.what {
            What::Parts { attempt, count } => {
                item.text("chore", "parts").bytes("attempt", attempt.as_bytes()).number("parts", *count)
            }
            What::Entries { thread, born } => {
                item.text("chore", "entries").text("thread", thread.as_str()).number("born", born.number())
            }
            What::Expire { thread, born } => {
                item.text("chore", "expire").text("thread", thread.as_str()).number("born", born.number())
            }
        }
    }

    /// Returns whether the intent is about the entries of that thread. Parts do not belong to a thread yet.
    fn is_of(&self, thread: &ThreadId) -> bool {
        match &self.what {
            What::Parts { .. } => false,
            What::Entries { thread: of, .. } | What::Expire { thread: of, .. } => of == thread,
        }
    }

    fn read(item: &Item) -> Option<Self> {
        let thread = || ThreadId::existing(item.get_text("thread")?).ok();
        let born = || item.get_number("born").map(Born::of);
        let what = match item.get_text("chore")? {
            "parts" => {
                let (attempt, count) = named_parts(item)?;
                What::Parts { attempt, count }
            }
            "entries" => What::Entries { thread: thread()?, born: born()? },
            "expire" => What::Expire { thread: thread()?, born: born()? },
            _ => return None,
        };
        Some(Self { key: Key::of(item)?, what })
    }
}

impl Shared {
    /// Executes a cleanup intent and deletes it.
    pub(super) async fn finish(&self, chore: &Chore) -> Result<(), StoreError> {
        const DOING: &str = "execute a cleanup intent";
        match &chore.what {
            What::Parts { attempt, count } => {
                // From here on no transaction can refer to the parts. If one already does, the intent no longer exists.
                if !self.table.mark(DOING, &chore.key, "taken", Some(1)).await? {
                    return Ok(());
                }
                self.delete_parts(*attempt, *count).await?;
            }
            What::Entries { thread, born } => self.delete_entries(thread, *born).await?,
            What::Expire { thread, born } => self.stamp(thread, *born).await?,
        }
        self.table.delete(DOING, &chore.key).await
    }

    /// Executes the cleanup intents in every shard that have at least this age, and returns their number.
    pub(super) async fn tidy(&self, age: Duration) -> Result<usize, StoreError> {
        let shards: Vec<_> = (0..SHARDS).map(|shard| self.tidy_shard(shard, age)).collect();
        let done: Vec<_> = stream::iter(shards).buffered(AT_ONCE).collect().await;
        done.into_iter().sum()
    }

    /// Executes old cleanup intents, at the first call and then once an hour. Failed ones are retried the next time.
    pub(super) async fn tidy_now_and_then(&self) {
        let (now, before) = (Self::now_ms(), self.tidied_ms.load(Relaxed));
        let is_early = u128::from(now.saturating_sub(before)) < NOW_AND_THEN.as_millis();
        if !is_early && self.tidied_ms.compare_exchange(before, now, Relaxed, Relaxed).is_ok() {
            let _ = self.tidy(LEFT_ALONE).await;
        }
    }

    pub(super) async fn tidy_shard(&self, shard: u8, age: Duration) -> Result<usize, StoreError> {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        // `0` sorts after the `/` that ends the time, so intents of this very time are included.
        let by = format!("{:016x}0", Self::now_ms().saturating_sub(age));
        self.finish_all(self.chores(shard, Some(by)).await?).await
    }

    /// Executes the cleanup intents of a deleted thread, regardless of their age.
    pub(super) async fn finish_deletion(&self, thread: &ThreadId) -> Result<(), StoreError> {
        let mut chores = self.chores(key::shard(thread), None).await?;
        chores.retain(|chore| chore.is_of(thread));
        self.finish_all(chores).await?;
        Ok(())
    }

    /// Returns the cleanup intents of a shard, oldest first.
    async fn chores(&self, shard: u8, to: Option<String>) -> Result<Vec<Chore>, StoreError> {
        let range = Range { to, ..Range::of(List::Chores.partition(shard)) };
        let items = self.table.query_all("list the cleanup intents", range).await?;
        Ok(items.iter().filter_map(Chore::read).collect())
    }

    /// Executes all cleanup intents, and only then returns the first error.
    async fn finish_all(&self, chores: Vec<Chore>) -> Result<usize, StoreError> {
        let mut done = Ok(0);
        for chore in &chores {
            let finished = self.finish(chore).await;
            done = done.and_then(|count| finished.map(|()| count + 1));
        }
        done
    }

    /// Deletes the entries of one incarnation of a thread, newest first, so that a concurrent reader sees at most the
    /// beginning of the journal.
    pub(super) async fn delete_entries(&self, thread: &ThreadId, born: Born) -> Result<(), StoreError> {
        let kept = self.batches(thread, born).await?;
        for batches in kept.chunks(AT_ONCE) {
            let deleted = batches.iter().map(|batch| async move {
                if let Some((attempt, count)) = batch.parts {
                    self.delete_parts(attempt, count).await?;
                }
                self.table.delete("delete a thread", &batch.key).await
            });
            stream::iter(deleted.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect::<()>().await?;
        }
        Ok(())
    }

    /// Returns the batches of one incarnation of a thread, newest first.
    pub(super) async fn batches(&self, thread: &ThreadId, born: Born) -> Result<Vec<Kept>, StoreError> {
        let range = Range {
            to: Some(key::entry(u64::MAX)),
            backwards: true,
            only: Some("pk, sk, attempt, parts, expires"),
            ..Range::of(key::partition(thread))
        };
        let items = self.table.query_all("read a journal", range).await?;
        let of_this_life = |key: &Key| key::read_batch(&key.sk).is_some_and(|(_, of)| of == born);
        let kept = |item: &Item| {
            let key = Key::of(item).filter(of_this_life)?;
            Some(Kept { key, parts: named_parts(item), expires: item.get_number("expires") })
        };
        Ok(items.iter().filter_map(kept).collect())
    }
}
