//! The data that is appended to a journal, and the records and the tail that are read back.

use super::{OpenReview, StoreError, Tally, ThreadStatus};
use crate::{Digest, Place, ThreadId, Timestamp};

/// A journal entry in its stored form.
///
/// ```
/// use hitl::{Digest, store::Record};
///
/// let body = br#"{"kind":"ended"}"#.to_vec();
/// let record = Record::new(3, Digest::of(&body), body);
/// assert!(record.place == 3 && !record.snapshot);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The place of the entry.
    pub place: Place,
    /// The SHA-256 of the previous hash and of `body`. A store keeps it, and does not check it.
    pub hash: Digest,
    /// The entry as JSON.
    pub body: Vec<u8>,
    /// `true` if the entry contains a full snapshot, so that no earlier entry is needed to resume.
    pub snapshot: bool,
}

impl Record {
    /// Creates the record of an entry without a snapshot.
    pub fn new(place: impl Into<Place>, hash: Digest, body: Vec<u8>) -> Self {
        Self { place: place.into(), hash, body, snapshot: false }
    }

    /// Sets the entry in its stored form.
    #[must_use]
    pub fn with_body(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }

    /// Sets whether the entry contains a full snapshot.
    #[must_use]
    pub fn with_snapshot(self, snapshot: bool) -> Self {
        Self { snapshot, ..self }
    }
}

/// Entries to append, and the thread's data in the index after them. For an example, see [the module](super).
///
/// A store keeps every field. A version that adds a field which a store must keep is a new major version; a field that
/// a minor version adds may be ignored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Append {
    /// The thread.
    pub thread: ThreadId,
    /// The entries, in order and without a gap. The place of the first one is the place to fill; 0 creates the thread.
    pub records: Vec<Record>,
    /// The status of the thread after these entries.
    pub standing: ThreadStatus,
    /// All reviews that are open after these entries. They replace the ones that the index held for this thread.
    pub reviews: Vec<OpenReview>,
    /// The time at which the thread needs attention unless it changes before: its runner's lease expires, a review
    /// expires, or a reminder of a review is due. `None` if nothing is pending.
    pub due: Option<Timestamp>,
    /// The hash of the entry that the first of these follows; `None` at place 0. It distinguishes a thread from a
    /// deleted one of the same name: a writer that still works on the deleted thread gets a conflict.
    pub after: Option<Digest>,
    /// The tallies of these entries; `None` if the writer does not count. A store that keeps no tallies ignores them.
    pub tallies: Option<Vec<Tally>>,
}

impl Append {
    /// Creates an append of these entries, after which the thread has this status, no open review and no due time. If
    /// the first place is not 0, it needs [`Append::with_after`] too.
    pub fn new(thread: ThreadId, records: Vec<Record>, standing: ThreadStatus) -> Self {
        Self { thread, records, standing, reviews: Vec::new(), due: None, after: None, tallies: None }
    }

    /// Sets the entries.
    #[must_use]
    pub fn with_records(self, records: Vec<Record>) -> Self {
        Self { records, ..self }
    }

    /// Sets the status of the thread after these entries.
    #[must_use]
    pub fn with_standing(self, standing: ThreadStatus) -> Self {
        Self { standing, ..self }
    }

    /// Sets the open reviews after these entries.
    #[must_use]
    pub fn with_reviews(self, reviews: Vec<OpenReview>) -> Self {
        Self { reviews, ..self }
    }

    /// Sets the time at which the thread needs attention.
    #[must_use]
    pub fn with_due(self, due: Option<Timestamp>) -> Self {
        Self { due, ..self }
    }

    /// Sets the hash of the entry that the first of these follows.
    #[must_use]
    pub fn with_after(self, after: Option<Digest>) -> Self {
        Self { after, ..self }
    }

    /// Sets the tallies of the entries, for a store that [keeps them](super::Store::keeps_tallies). Tallies of the same
    /// group are added up.
    #[must_use]
    pub fn with_tallies(self, tallies: Option<Vec<Tally>>) -> Self {
        Self { tallies: tallies.map(Tally::merge), ..self }
    }

    /// Rejects an append that no store can accept. Every store calls this first, so that all stores reject the same
    /// ones.
    ///
    /// ```
    /// use hitl::{ThreadId, store::{Append, ThreadStatus}};
    ///
    /// let thread = ThreadId::new("ticket-A-9133")?;
    /// assert!(Append::new(thread, vec![], ThreadStatus::Running).check().is_err());
    /// # Ok::<(), hitl::InvalidThreadId>(())
    /// ```
    ///
    /// # Errors
    /// [`StoreError::InvalidAppend`] if there is no entry, the places have a gap, a review belongs to another thread,
    /// `after` is missing or is set at place 0, or a place or a time exceeds `i64::MAX`, which no store is required to
    /// support.
    pub fn check(&self) -> Result<(), StoreError> {
        let is_storable = |number: u64| i64::try_from(number).is_ok();
        let is_storable_time = |time: Timestamp| is_storable(time.as_millis());
        let problem = if self.records.is_empty() {
            "it has no entries"
        } else if self.records.windows(2).any(|pair| pair[0].place.checked_add(1) != Some(pair[1].place)) {
            "its places are not consecutive"
        } else if self.reviews.iter().any(|review| review.thread != self.thread) {
            "one of its reviews belongs to another thread"
        } else if !self.records.iter().all(|record| is_storable(record.place.get())) {
            "one of its places exceeds i64::MAX"
        } else if !self.reviews.iter().all(|review| {
            is_storable(review.place.get())
                && is_storable_time(review.opened)
                && review.deadline.is_none_or(is_storable_time)
        }) {
            "a place or a time of one of its reviews exceeds i64::MAX"
        } else if self.after.is_none() != (self.records[0].place == 0) {
            "`after` must be set exactly when the first record's place is greater than 0"
        } else if !self.due.is_none_or(is_storable_time) {
            "its due time exceeds i64::MAX"
        } else {
            return Ok(());
        };
        Err(StoreError::InvalidAppend { thread: self.thread.clone(), problem })
    }
}

/// The end of a thread's journal: the entries that are needed to resume it.
///
/// ```
/// use hitl::{Digest, store::{Record, Tail}};
///
/// let snapshot = Record::new(7, Digest::of(b"{}"), b"{}".to_vec()).with_snapshot(true);
/// let tail = Tail::new(vec![snapshot]).with_before(Some(Digest::of(b"the entry at place 6")));
/// assert!(tail.before.is_some());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tail {
    /// The stored hash of the entry before `records`; `None` if they start at place 0. The hash of the first record
    /// covers it, so a reader of the tail can verify that record too.
    pub before: Option<Digest>,
    /// The entries from the last snapshot (inclusive), or from place 0 if there is none, to the head.
    pub records: Vec<Record>,
}

impl Tail {
    /// Creates a tail that starts at place 0.
    pub fn new(records: Vec<Record>) -> Self {
        Self { before: None, records }
    }

    /// Sets the stored hash of the entry before the first record.
    #[must_use]
    pub fn with_before(self, before: Option<Digest>) -> Self {
        Self { before, ..self }
    }
}
