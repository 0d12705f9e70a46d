//! The data that is appended to a journal, and the records and the tail that are read back.

use super::{OpenReview, StoreError, ThreadStatus};
use crate::{Digest, Place, ThreadId};

/// A journal entry in its stored form.
///
/// ```
/// use hitl::{Digest, store::Record};
///
/// let body = br#"{"kind":"ended"}"#.to_vec();
/// let record = Record { place: 3, hash: Digest::of(&body), body, snapshot: false };
/// assert_eq!(record.place, 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Entries to append, and the thread's data in the index after them. For an example, see [the module](super).
#[derive(Clone, Debug)]
pub struct Append {
    /// The thread.
    pub thread: ThreadId,
    /// The entries, in order and without a gap. The place of the first one is the place to fill; 0 creates the thread.
    pub records: Vec<Record>,
    /// The status of the thread after these entries.
    pub standing: ThreadStatus,
    /// All reviews that are open after these entries. They replace the ones that the index held for this thread.
    pub reviews: Vec<OpenReview>,
    /// The time at which the thread needs attention unless it changes before, in milliseconds since the epoch: its
    /// runner's lease expires, a review expires, or a reminder of a review is due. `None` if nothing is pending.
    pub due_ms: Option<u64>,
    /// The hash of the entry that the first of these follows; `None` at place 0. It distinguishes a thread from a
    /// deleted one of the same name: a writer that still works on the deleted thread gets a conflict.
    pub after: Option<Digest>,
}

impl Append {
    /// Rejects an append that no store can accept. Every store calls this first, so that all stores reject the same
    /// ones.
    ///
    /// ```
    /// use hitl::{ThreadId, store::{Append, ThreadStatus}};
    ///
    /// let thread = ThreadId::new("ticket-A-9133")?;
    /// let empty = Append { thread, records: vec![], standing: ThreadStatus::Running, reviews: vec![], due_ms: None, after: None };
    /// assert!(empty.check().is_err());
    /// # Ok::<(), hitl::InvalidThreadId>(())
    /// ```
    ///
    /// # Errors
    /// [`StoreError::InvalidAppend`] if there is no entry, the places have a gap, a review belongs to another thread,
    /// `after` is missing or is set at place 0, or a place or a time exceeds `i64::MAX`, which no store is required to
    /// support.
    pub fn check(&self) -> Result<(), StoreError> {
        let is_storable = |number: u64| i64::try_from(number).is_ok();
        let problem = if self.records.is_empty() {
            "it has no entries"
        } else if self.records.windows(2).any(|pair| pair[0].place.checked_add(1) != Some(pair[1].place)) {
            "its places are not consecutive"
        } else if self.reviews.iter().any(|review| review.thread != self.thread) {
            "one of its reviews belongs to another thread"
        } else if !self.records.iter().all(|record| is_storable(record.place)) {
            "one of its places exceeds i64::MAX"
        } else if !self.reviews.iter().all(|review| {
            is_storable(review.place)
                && is_storable(review.opened_ms)
                && review.deadline_ms.is_none_or(is_storable)
        }) {
            "a place or a time of one of its reviews exceeds i64::MAX"
        } else if self.after.is_none() != (self.records[0].place == 0) {
            "`after` must be set exactly when the first record's place is greater than 0"
        } else if !self.due_ms.is_none_or(is_storable) {
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
/// assert!(hitl::store::Tail::default().records.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The stored hash of the entry before `records`; `None` if they start at place 0. The hash of the first record
    /// covers it, so a reader of the tail can verify that record too.
    pub before: Option<Digest>,
    /// The entries from the last snapshot (inclusive), or from place 0 if there is none, to the head.
    pub records: Vec<Record>,
}
