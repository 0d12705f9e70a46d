//! What is appended to a journal, and what is read of it again.

use super::{OpenReview, Standing, StoreError};
use crate::{Digest, ThreadId, journal::Place};

/// An entry as a store keeps it.
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
    /// Where it stands.
    pub place: Place,
    /// The SHA-256 of the hash before it and of `body`.
    pub hash: Digest,
    /// The entry as JSON.
    pub body: Vec<u8>,
    /// Whether it holds a full snapshot, so that no entry before it is needed to resume.
    pub snapshot: bool,
}

/// Entries to append, and what the index says of the thread once they are there. The example is
/// [in the module](super).
#[derive(Clone, Debug)]
pub struct Append {
    /// The thread.
    pub thread: ThreadId,
    /// The entries, in order and without a gap. The first one's place is the place to fill; 0 makes the thread.
    pub records: Vec<Record>,
    /// How the thread stands after them.
    pub standing: Standing,
    /// Every review that is open after them; what the index held for this thread before is replaced.
    pub reviews: Vec<OpenReview>,
    /// When somebody must look at the thread unless it has moved by then, in milliseconds since the epoch: its
    /// runner's lease has run out, a review expires or is to be brought up again. `None` where nothing is awaited.
    pub due_ms: Option<u64>,
    /// The hash of the entry that the first of these follows; `None` at place 0. It tells a thread from another one of
    /// its name that was deleted: whoever still works on that one must not write into this one.
    pub after: Option<Digest>,
}

impl Append {
    /// Whether it can be appended anywhere at all. Every store asks this first, so that all of them refuse the same.
    ///
    /// ```
    /// use hitl::{ThreadId, store::{Append, Standing}};
    ///
    /// let thread = ThreadId::new("ticket-A-9133")?;
    /// let empty = Append { thread, records: vec![], standing: Standing::Running, reviews: vec![], due_ms: None, after: None };
    /// assert!(empty.check().is_err());
    /// # Ok::<(), hitl::InvalidThreadId>(())
    /// ```
    ///
    /// # Errors
    /// [`StoreError::BadAppend`] when it has no entry, its places leave a gap, one of its reviews is of another
    /// thread, what it follows is missing, or a place or a time is beyond `i64::MAX`, which no store need be able to keep.
    pub fn check(&self) -> Result<(), StoreError> {
        let keepable = |number: u64| i64::try_from(number).is_ok();
        let problem = if self.records.is_empty() {
            "it has no entry"
        } else if self.records.windows(2).any(|pair| pair[0].place.checked_add(1) != Some(pair[1].place)) {
            "its places do not follow one another"
        } else if self.reviews.iter().any(|review| review.thread != self.thread) {
            "one of its reviews is of another thread"
        } else if !self.records.iter().all(|record| keepable(record.place)) {
            "one of its places is beyond i64::MAX"
        } else if !self.reviews.iter().all(|review| {
            keepable(review.place) && keepable(review.opened_ms) && review.deadline_ms.is_none_or(keepable)
        }) {
            "a place or a time of one of its reviews is beyond i64::MAX"
        } else if self.after.is_none() != (self.records[0].place == 0) {
            "it follows an entry just where its first place is not 0"
        } else if !self.due_ms.is_none_or(keepable) {
            "the time that it is due is beyond i64::MAX"
        } else {
            return Ok(());
        };
        Err(StoreError::BadAppend { thread: self.thread.clone(), problem })
    }
}

/// The end of a thread's journal: enough to resume it.
///
/// ```
/// assert!(hitl::store::Tail::default().records.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The stored hash of the entry before the first of them; `None` where the first one stands at place 0. The first
    /// entry's hash covers it, so whoever reads the tail can check that entry, too.
    pub before: Option<Digest>,
    /// The entries from the last snapshot (itself included) or from the first place, to the head.
    pub records: Vec<Record>,
}
