//! Where everything stands in the table.

use std::fmt;

use super::item::Item;
use crate::{Digest, StoreError, ThreadId, store::Place};

/// Over how many partitions each list is spread. A table is made for this number: another one would look for rows
/// where they are not.
pub(super) const SHARDS: u8 = 8;

/// The names of the two key attributes.
pub(super) const PK: &str = "pk";
pub(super) const SK: &str = "sk";

/// Where the head of a thread stands in its partition: after its entries, so that reading backwards meets it first.
pub(super) const HEAD: &str = "head";

/// An item's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Key {
    pub(super) fn head(thread: &ThreadId) -> Self {
        Self { pk: partition(thread), sk: HEAD.into() }
    }

    /// The entries of one append, under the place of the last of them.
    pub(super) fn batch(thread: &ThreadId, last: Place, born: Born) -> Self {
        Self { pk: partition(thread), sk: format!("{}/{born}", entry(last)) }
    }

    /// A part of what is too large for one item. Each has a partition of its own, so that they are written at once.
    pub(super) fn part(attempt: &Id, number: u64) -> Self {
        Self { pk: format!("part/{attempt}/{number}"), sk: "part".into() }
    }

    /// A thread whose rows in the lists are behind its journal.
    pub(super) fn late(thread: &ThreadId) -> Self {
        Self { pk: LATE.into(), sk: thread.as_str().into() }
    }

    /// What somebody must clear away if its maker dies.
    pub(super) fn chore(thread: &ThreadId, at_ms: u64, id: &Id) -> Self {
        Self { pk: List::Chores.partition(shard(thread)), sk: format!("{at_ms:016x}/{id}") }
    }

    /// A row of a list.
    pub(super) fn row(list: List, thread: &ThreadId, sk: String) -> Self {
        Self { pk: list.partition(shard(thread)), sk }
    }

    /// Where an item stands.
    pub(super) fn of(item: &Item) -> Option<Self> {
        Some(Self { pk: item.get_text(PK)?.into(), sk: item.get_text(SK)?.into() })
    }

    /// As the first attributes of an item.
    pub(super) fn item(&self) -> Item {
        Item::default().text(PK, &self.pk).text(SK, &self.sk)
    }
}

/// The partition of the rows of those threads that are late.
pub(super) const LATE: &str = "late";

/// A list, spread over its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// Open reviews.
    Open,
    /// Threads by when they are due.
    Due,
    /// Threads that run or wait.
    Busy,
    /// Threads that are in doubt or have failed.
    Stuck,
    /// Threads that have ended.
    Ended,
    /// What is to be cleared away.
    Chores,
}

impl List {
    pub(super) fn partition(self, shard: u8) -> String {
        let name = match self {
            Self::Open => "open",
            Self::Due => "due",
            Self::Busy => "busy",
            Self::Stuck => "stuck",
            Self::Ended => "ended",
            Self::Chores => "chore",
        };
        format!("{name}/{shard:02}")
    }
}

/// The partition of a thread.
pub(super) fn partition(thread: &ThreadId) -> String {
    format!("thread/{thread}")
}

/// Where entries begin to stand from this place on.
pub(super) fn entry(place: Place) -> String {
    format!("e/{place:016x}")
}

/// The place and the birth that a batch's key names.
pub(super) fn read_batch(sk: &str) -> Option<(Place, Born)> {
    let (place, born) = sk.strip_prefix("e/")?.split_once('/')?;
    Some((Place::from_str_radix(place, 16).ok()?, Born(u64::from_str_radix(born, 16).ok()?)))
}

/// A time and a thread, in the order of the times.
pub(super) fn timed(time_ms: u64, thread: &ThreadId) -> String {
    format!("{time_ms:016x}/{thread}")
}

pub(super) fn read_timed(sk: &str) -> Option<(u64, ThreadId)> {
    let (time, thread) = sk.split_once('/')?;
    Some((u64::from_str_radix(time, 16).ok()?, ThreadId::existing(thread).ok()?))
}

/// Which of the shards a thread's rows stand in.
pub(super) fn shard(thread: &ThreadId) -> u8 {
    Digest::of(thread.as_str().as_bytes()).as_bytes()[0] % SHARDS
}

/// Sixteen bytes that nothing else has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id([u8; 16]);

impl Id {
    /// From the operating system, for each call anew: two copies of one restored process differ.
    pub(super) fn draw() -> Result<Self, StoreError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| StoreError::Failed {
            location: "this system".into(),
            problem: format!("it gives no random numbers: {error}"),
            source: None,
        })?;
        Ok(Self(bytes))
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name of a thread's life that begins with this.
    pub(super) fn born(&self) -> Born {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        Born(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Which of several threads that bore one name after one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Born(u64);

impl Born {
    pub(super) fn number(self) -> u64 {
        self.0
    }

    pub(super) fn of(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Born {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_keep_their_order() {
        let thread = ThreadId::new("a/b 1").unwrap();
        let born = Id::draw().unwrap().born();
        let key = Key::batch(&thread, 0x1f, born);
        assert_eq!(read_batch(&key.sk), Some((0x1f, born)));
        assert!(entry(0x1f) < key.sk && key.sk < entry(0x20) && *entry(u64::MAX) < *HEAD);
        assert_eq!(read_timed(&timed(77, &thread)), Some((77, thread.clone())));
        for damaged in ["", "head", "e/", "e/1", "e/x/1", "e/1/x"] {
            assert_eq!(read_batch(damaged), None);
        }
        for damaged in ["", "1", "x/a", "1/", "1/ a"] {
            assert_eq!(read_timed(damaged), None);
        }
    }

    #[test]
    fn a_million_threads_spread_over_all_shards_alike() {
        let mut counts = [0_u32; SHARDS as usize];
        for i in 0..16_000 {
            counts[usize::from(shard(&ThreadId::new(format!("ticket-{i}")).unwrap()))] += 1;
        }
        assert!(counts.iter().all(|count| (1_850..2_150).contains(count)), "{counts:?}");
    }
}
