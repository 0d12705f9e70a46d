//! The keys of the items in the table.

use std::fmt;

use super::item::Item;
use crate::{Digest, Place, StoreError, ThreadId, Timestamp};

/// The number of partitions of cleanup intents. It is fixed for a table, as are those of [`List::shards`]: with another
/// number, rows would be looked up in the wrong partitions.
pub(super) const SHARDS: u8 = 8;

/// The names of the two key attributes.
pub(super) const PK: &str = "pk";
pub(super) const SK: &str = "sk";

/// The sort key of a head. It follows those of the entries, so that reading backwards returns the head first.
pub(super) const HEAD: &str = "head";

/// The key of an item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Key {
    pub(super) fn head(thread: &ThreadId) -> Self {
        Self { pk: partition(thread), sk: HEAD.into() }
    }

    /// Returns the key of the entries of one append, which contains the place of the last one.
    pub(super) fn batch(thread: &ThreadId, last: Place, incarnation: Incarnation) -> Self {
        Self { pk: partition(thread), sk: format!("{}/{incarnation}", entry(last)) }
    }

    /// Returns the key of a part of an append that is too large for one item. Each part has its own partition, so that
    /// parts are written concurrently.
    pub(super) fn part(attempt: &Id, number: u64) -> Self {
        Self { pk: format!("part/{attempt}/{number}"), sk: "part".into() }
    }

    /// Returns the key of the index lag marker of a thread, whose rows are behind its journal.
    pub(super) fn lag_marker(thread: &ThreadId) -> Self {
        Self { pk: LAG_PARTITION.into(), sk: thread.as_str().into() }
    }

    /// Returns the key of a cleanup intent.
    pub(super) fn cleanup_intent(thread: &ThreadId, at: Timestamp, id: &Id) -> Self {
        Self {
            pk: List::CleanupIntents.partition(shard(thread)),
            sk: format!("{:016x}/{id}", at.as_millis()),
        }
    }

    /// Returns the key of a row of a list.
    pub(super) fn row(list: List, thread: &ThreadId, sk: String) -> Self {
        Self { pk: list.partition(shard(thread) % list.shards()), sk }
    }

    /// Returns the key of an item.
    pub(super) fn from_item(item: &Item) -> Option<Self> {
        Some(Self { pk: item.get_text(PK)?.into(), sk: item.get_text(SK)?.into() })
    }

    /// Returns an item with the key attributes only.
    pub(super) fn item(&self) -> Item {
        Item::default().text(PK, &self.pk).text(SK, &self.sk)
    }
}

/// The partition of the index lag markers.
pub(super) const LAG_PARTITION: &str = "late";

/// The sort key of the layout record, which shares a partition with the index lag markers. It is the name of a thread that
/// may exist, but that cannot be started, because of the invisible character in it.
pub(super) const LAYOUT: &str = "layout of this table\u{200b}.";

/// A list, which is spread over its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// Open reviews.
    Reviews,
    /// Running threads.
    Running,
    /// Other threads by due time.
    Due,
    /// Threads that are running or waiting.
    Busy,
    /// Threads that are in doubt or have failed.
    Stuck,
    /// Threads that have ended.
    Ended,
    /// Cleanup intents.
    CleanupIntents,
    /// Open reviews of threads that were last written in the old layout.
    OldOpen,
    /// Threads that are in doubt or have failed, and were last written in the old layout.
    OldStuck,
}

impl List {
    /// Returns the number of the list's partitions. A page of a list costs at least one read unit for each.
    pub(super) fn shards(self) -> u8 {
        match self {
            Self::Reviews | Self::Running => 4,
            Self::Stuck => 1,
            Self::Due | Self::Busy | Self::Ended | Self::OldOpen | Self::OldStuck => 8,
            Self::CleanupIntents => SHARDS,
        }
    }

    pub(super) fn partition(self, shard: u8) -> String {
        let name = match self {
            Self::Reviews => "review",
            Self::Running => "running",
            Self::Due => "due",
            Self::Busy => "busy",
            Self::Stuck => return "stuck".into(),
            Self::Ended => "ended",
            Self::CleanupIntents => "chore",
            Self::OldOpen => "open",
            Self::OldStuck => "stuck",
        };
        format!("{name}/{shard:02}")
    }

    /// Returns the names of the list's partitions.
    pub(super) fn partitions(self) -> impl Iterator<Item = String> {
        (0..self.shards()).map(move |shard| self.partition(shard))
    }
}

/// Returns the partition of a thread.
pub(super) fn partition(thread: &ThreadId) -> String {
    format!("thread/{thread}")
}

/// Returns the lower bound of the sort keys of entries from this place on.
pub(super) fn entry(place: Place) -> String {
    format!("e/{:016x}", place.get())
}

/// Parses the place and the incarnation in the sort key of a batch.
pub(super) fn read_batch(sk: &str) -> Option<(Place, Incarnation)> {
    let (place, incarnation) = sk.strip_prefix("e/")?.split_once('/')?;
    Some((
        u64::from_str_radix(place, 16).ok()?.into(),
        Incarnation(u64::from_str_radix(incarnation, 16).ok()?),
    ))
}

/// Returns a sort key that orders by time, and then by thread.
pub(super) fn timed(time: Timestamp, thread: &ThreadId) -> String {
    format!("{:016x}/{thread}", time.as_millis())
}

pub(super) fn read_timed(sk: &str) -> Option<(Timestamp, ThreadId)> {
    let (time, thread) = sk.split_once('/')?;
    let time = Timestamp::from_millis(u64::from_str_radix(time, 16).ok()?);
    Some((time, ThreadId::existing(thread).ok()?))
}

/// Returns the shard of a thread. In a list with fewer shards, it is this number modulo theirs.
pub(super) fn shard(thread: &ThreadId) -> u8 {
    Digest::of(thread.as_str().as_bytes()).as_bytes()[0] % SHARDS
}

/// A unique random identifier of 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id([u8; 16]);

impl Id {
    /// Returns a random identifier. It comes from the operating system on each call, so that two copies of a restored
    /// process get different ones.
    pub(super) fn random() -> Result<Self, StoreError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| StoreError::Failed {
            location: "the operating system".into(),
            problem: format!("it provided no random bytes: {error}"),
            source: None,
        })?;
        Ok(Self(bytes))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the incarnation of a thread that begins with this write.
    pub(super) fn incarnation(&self) -> Incarnation {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        Incarnation(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// An incarnation of a thread. It distinguishes threads that have had the same name one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Incarnation(u64);

impl Incarnation {
    pub(super) fn number(self) -> u64 {
        self.0
    }

    pub(super) fn new(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip_and_keep_their_order() {
        let thread = ThreadId::new("a/b 1").unwrap();
        let incarnation = Id::random().unwrap().incarnation();
        let key = Key::batch(&thread, 0x1f.into(), incarnation);
        assert_eq!(read_batch(&key.sk), Some((0x1f.into(), incarnation)));
        assert!(
            entry(0x1f.into()) < key.sk && key.sk < entry(0x20.into()) && *entry(u64::MAX.into()) < *HEAD
        );
        assert_eq!(
            read_timed(&timed(Timestamp::from_millis(77), &thread)),
            Some((Timestamp::from_millis(77), thread.clone()))
        );
        for damaged in ["", "head", "e/", "e/1", "e/x/1", "e/1/x"] {
            assert_eq!(read_batch(damaged), None);
        }
        for damaged in ["", "1", "x/a", "1/", "1/ a"] {
            assert_eq!(read_timed(damaged), None);
        }
    }

    #[test]
    fn a_million_threads_are_spread_evenly_over_the_shards() {
        let mut counts = [0_u32; SHARDS as usize];
        for i in 0..16_000 {
            counts[usize::from(shard(&ThreadId::new(format!("ticket-{i}")).unwrap()))] += 1;
        }
        assert!(counts.iter().all(|count| (1_850..2_150).contains(count)), "{counts:?}");
    }
}
