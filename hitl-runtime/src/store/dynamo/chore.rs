//! What somebody must finish if the one who began it dies. Each is written before, or with, what makes it necessary,
//! and deleted once it is done; whoever finds an old one does it.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    Shared,
    item::Item,
    key::{self, Born, Id, Key, List, SHARDS},
    table::Range,
};
use crate::{StoreError, ThreadId};

/// How old a chore must be before another one than its maker does it unasked. No append takes nearly as long.
pub(super) const LEFT_ALONE: Duration = Duration::from_secs(60 * 60);

/// How long a process that asks what is due waits until it looks for such chores again.
const NOW_AND_THEN: Duration = Duration::from_secs(60 * 60);

/// How many items are on their way at once. So many of the largest fit in one transaction, with a head.
pub(super) const AT_ONCE: usize = 8;

/// Something to clear away.
#[derive(Clone, Debug)]
pub(super) struct Chore {
    pub(super) key: Key,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// Parts that no transaction has named.
    Parts { attempt: Id, count: u64 },
    /// The entries of a thread that was deleted.
    Entries { thread: ThreadId, born: Born },
    /// The entries of a thread that has ended have to bear the time at which it is forgotten, as its head does.
    Expire { thread: ThreadId, born: Born },
}

/// A batch as it stands in the table, without its entries.
pub(super) struct Kept {
    pub(super) key: Key,
    parts: Option<(Id, u64)>,
    pub(super) expires: Option<u64>,
}

impl Kept {
    /// Where its parts stand.
    pub(super) fn parts(&self) -> impl Iterator<Item = Key> + use<> {
        self.parts
            .into_iter()
            .flat_map(|(attempt, count)| (0..count).map(move |number| Key::part(&attempt, number)))
    }
}

/// The parts that an item names: a chore, or the entries of an append.
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

    /// Whether it is about that thread's entries. Parts are nobody's yet.
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
    /// Does a chore and crosses it off.
    pub(super) async fn finish(&self, chore: &Chore) -> Result<(), StoreError> {
        const DOING: &str = "clear away what is left";
        match &chore.what {
            What::Parts { attempt, count } => {
                // From here on no transaction can name them; if one has, the chore is no longer there.
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

    /// Does the chores of every shard that are at least so old, and counts them.
    pub(super) async fn tidy(&self, age: Duration) -> Result<usize, StoreError> {
        let shards: Vec<_> = (0..SHARDS).map(|shard| self.tidy_shard(shard, age)).collect();
        let done: Vec<_> = stream::iter(shards).buffered(AT_ONCE).collect().await;
        done.into_iter().sum()
    }

    /// Does what has been left alone, the first time and then once an hour. What cannot be done waits for the next time.
    pub(super) async fn tidy_now_and_then(&self) {
        let (now, before) = (Self::now_ms(), self.tidied_ms.load(Relaxed));
        let is_early = u128::from(now.saturating_sub(before)) < NOW_AND_THEN.as_millis();
        if !is_early && self.tidied_ms.compare_exchange(before, now, Relaxed, Relaxed).is_ok() {
            let _ = self.tidy(LEFT_ALONE).await;
        }
    }

    pub(super) async fn tidy_shard(&self, shard: u8, age: Duration) -> Result<usize, StoreError> {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        // A zero comes after the stroke that ends the time.
        let by = format!("{:016x}0", Self::now_ms().saturating_sub(age));
        self.finish_all(self.chores(shard, Some(by)).await?).await
    }

    /// Does what is left to do of a thread that is gone, however young it is.
    pub(super) async fn finish_deletion(&self, thread: &ThreadId) -> Result<(), StoreError> {
        let mut chores = self.chores(key::shard(thread), None).await?;
        chores.retain(|chore| chore.is_of(thread));
        self.finish_all(chores).await?;
        Ok(())
    }

    /// The chores of a shard, the oldest first.
    async fn chores(&self, shard: u8, to: Option<String>) -> Result<Vec<Chore>, StoreError> {
        let range = Range { to, ..Range::of(List::Chores.partition(shard)) };
        let items = self.table.query_all("look for what is left", range).await?;
        Ok(items.iter().filter_map(Chore::read).collect())
    }

    /// Does all that can be done, and only then says what could not.
    async fn finish_all(&self, chores: Vec<Chore>) -> Result<usize, StoreError> {
        let mut done = Ok(0);
        for chore in &chores {
            let finished = self.finish(chore).await;
            done = done.and_then(|count| finished.map(|()| count + 1));
        }
        done
    }

    /// Deletes what one life of a thread has left in its partition, the newest first, so that a beginning is all that
    /// anyone can see of it meanwhile.
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

    /// The batches of one life of a thread, the newest first.
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
