//! Tallies: sums that a store keeps beside the journals, so that a report need not read them.

use std::collections::{BTreeMap, btree_map::Entry};

use serde::{Deserialize, Serialize};

use crate::{Digest, Place, ThreadId};

/// Counts that are added to a group of counters. A store interprets neither the group nor the names of the counters:
/// it keeps, for each group, the sum of each counter.
///
/// ```
/// use hitl::store::Tally;
///
/// let mut sum = Tally::new("2026-11-29").with_count("approve", 2);
/// sum.add(&Tally::new("2026-11-29").with_count("approve", 1).with_count("reject", 1));
/// assert_eq!((sum.counts["approve"], sum.counts["reject"]), (3, 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tally {
    /// The name of the group. Groups are listed in the byte order of their names.
    pub group: String,
    /// The counts by the name of the counter.
    pub counts: BTreeMap<String, u64>,
}

impl Tally {
    /// Creates a tally without counts.
    pub fn new(group: impl Into<String>) -> Self {
        Self { group: group.into(), counts: BTreeMap::new() }
    }

    /// Adds a count to a counter.
    #[must_use]
    pub fn with_count(mut self, counter: impl Into<String>, count: u64) -> Self {
        add(&mut self.counts, counter.into(), count);
        self
    }

    /// Sets the counts.
    #[must_use]
    pub fn with_counts(self, counts: BTreeMap<String, u64>) -> Self {
        Self { counts, ..self }
    }

    /// Adds the counts of another tally, whose group is not looked at.
    pub fn add(&mut self, other: &Self) {
        other.counts.iter().for_each(|(counter, count)| add(&mut self.counts, counter.clone(), *count));
    }

    /// Adds up the tallies of the same group, and returns one for each group.
    ///
    /// ```
    /// use hitl::store::Tally;
    ///
    /// let one = || Tally::new("2026-11-29").with_count("approve", 1);
    /// assert_eq!(Tally::merge([one(), one()]), [Tally::new("2026-11-29").with_count("approve", 2)]);
    /// ```
    pub fn merge(tallies: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut sums = BTreeMap::<String, Self>::new();
        tallies.into_iter().for_each(|tally| tally.add_to(&mut sums));
        sums.into_values().collect()
    }

    /// Adds the tally to the sum of its group.
    pub(super) fn add_to(self, sums: &mut BTreeMap<String, Self>) {
        match sums.entry(self.group.clone()) {
            Entry::Occupied(mut sum) => sum.get_mut().add(&self),
            Entry::Vacant(free) => drop(free.insert(self)),
        }
    }
}

fn add(counts: &mut BTreeMap<String, u64>, counter: String, count: u64) {
    let sum = counts.entry(counter).or_default();
    *sum = sum.saturating_add(count);
}

/// A thread with entries that the tallies of the store do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UncountedThread {
    /// The thread.
    pub thread: ThreadId,
    /// The place of the first entry that is not counted. No later one is counted either.
    pub from: Place,
}

impl UncountedThread {
    /// Creates the value for a thread.
    pub fn new(thread: ThreadId, from: Place) -> Self {
        Self { thread, from }
    }
}

/// The tallies of a range of entries that were appended without tallies, for
/// [`Store::backfill`](super::Store::backfill).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Backfill {
    /// The thread.
    pub thread: ThreadId,
    /// The place of the first entry of the range: [`UncountedThread::from`].
    pub from: Place,
    /// The place of the last entry of the range.
    pub to: Place,
    /// The hash of the last entry. It distinguishes the thread from a later one of the same name.
    pub hash: Digest,
    /// The tallies.
    pub tallies: Vec<Tally>,
}

impl Backfill {
    /// Creates the tallies of the entries from [`UncountedThread::from`] up to the entry at `to`, which has this hash.
    /// Tallies of the same group are added up.
    pub fn new(uncounted: UncountedThread, to: Place, hash: Digest, tallies: Vec<Tally>) -> Self {
        let UncountedThread { thread, from } = uncounted;
        Self { thread, from, to, hash, tallies: Tally::merge(tallies) }
    }
}
