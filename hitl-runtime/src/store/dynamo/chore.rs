//! What somebody must finish if the one who began it dies. Each is written before, or with, what makes it necessary,
//! and deleted once it is done; whoever finds an old one does it.

use std::time::Duration;

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

/// How many items are on their way at once.
const AT_ONCE: usize = 8;

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

    fn read(item: &Item) -> Option<Self> {
        let thread = || ThreadId::new(item.get_text("thread")?).ok();
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
        let mut done = 0;
        for shard in 0..SHARDS {
            done += self.tidy_shard(shard, age).await?;
        }
        Ok(done)
    }

    pub(super) async fn tidy_shard(&self, shard: u8, age: Duration) -> Result<usize, StoreError> {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        // A zero comes after the stroke that ends the time.
        let by = format!("{:016x}0", Self::now_ms().saturating_sub(age));
        let range = Range { to: Some(by), ..Range::of(List::Chores.partition(shard)) };
        let items = self.table.query_all("look for what is left", range).await?;
        let mut done = 0;
        for chore in items.iter().filter_map(Chore::read) {
            self.finish(&chore).await?;
            done += 1;
        }
        Ok(done)
    }

    /// Deletes what one life of a thread has left in its partition, the newest first, so that a beginning is all that
    /// anyone can see of it meanwhile.
    async fn delete_entries(&self, thread: &ThreadId, born: Born) -> Result<(), StoreError> {
        let keys = self.batches(thread, born).await?;
        for batches in keys.chunks(AT_ONCE) {
            let deleted = batches.iter().map(|(key, parts)| async move {
                if let Some((attempt, count)) = parts {
                    self.delete_parts(*attempt, *count).await?;
                }
                self.table.delete("delete a thread", key).await
            });
            stream::iter(deleted.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect::<()>().await?;
        }
        Ok(())
    }

    /// Gives the entries of one life of a thread the time at which DynamoDB forgets its head, or takes it from them.
    async fn stamp(&self, thread: &ThreadId, born: Born) -> Result<(), StoreError> {
        const DOING: &str = "set the time at which a thread is forgotten";
        let head = async || {
            let head = self.head(DOING, thread).await?.filter(|head| head.born == born);
            Ok::<_, StoreError>(head.map(|head| head.index.expires))
        };
        let mut wanted = head().await?;
        while let Some(expires) = wanted {
            for (key, parts) in self.batches(thread, born).await? {
                if let Some((attempt, count)) = parts {
                    for number in 0..count {
                        self.table.mark(DOING, &Key::part(&attempt, number), "expires", expires).await?;
                    }
                }
                self.table.mark(DOING, &key, "expires", expires).await?;
            }
            // Whoever moved the head meanwhile has done the same for another time.
            let now = head().await?;
            wanted = now.filter(|now| *now != expires);
        }
        Ok(())
    }

    /// The batches of one life of a thread, the newest first, and the parts that they name.
    async fn batches(
        &self,
        thread: &ThreadId,
        born: Born,
    ) -> Result<Vec<(Key, Option<(Id, u64)>)>, StoreError> {
        let range =
            Range { to: Some(key::entry(u64::MAX)), backwards: true, ..Range::of(key::partition(thread)) };
        let items = self.table.query_all("read a journal", range).await?;
        let of_this_life = |key: &Key| key::read_batch(&key.sk).is_some_and(|(_, of)| of == born);
        Ok(items
            .iter()
            .filter_map(|item| Some((Key::of(item).filter(of_this_life)?, named_parts(item))))
            .collect())
    }
}
