//! Where journals are kept.
//!
//! A store is small. It appends at a place, reads from the last snapshot, pages through a history, pages through
//! the open reviews, and deletes a thread. It understands nothing of what it keeps: an entry is a place, a hash and
//! bytes.
//!
//! ```
//! use hitl::store::{Append, MemoryStore, Record, Standing, Store, StoreError};
//! use hitl::{Digest, ThreadId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let thread = ThreadId::new("ticket-A-9133")?;
//! let first = Append {
//!     thread: thread.clone(),
//!     records: vec![Record { place: 0, hash: Digest::of(b"{}"), body: b"{}".to_vec(), snapshot: true }],
//!     standing: Standing::Running,
//!     reviews: vec![],
//!     due_ms: None,
//!     after: None,
//! };
//! store.append(first.clone()).await?;
//!
//! // Whoever comes second is told so, and nothing is written.
//! assert!(matches!(store.append(first).await, Err(StoreError::Taken { place: 0, .. })));
//! assert_eq!(store.tail(&thread).await?.map(|tail| tail.records.len()), Some(1));
//! # Ok(())
//! # }
//! ```
//!
//! Three stores are here: [`MemoryStore`]; with the feature `sqlite`, `SqliteStore`; and with the feature `dynamodb`,
//! `DynamoStore`. Whoever writes a fourth runs [`conformance`] on it. With the feature `kms`, `Sealed` stands
//! before any of them and encrypts each entry.

pub mod conformance;
#[cfg(feature = "dynamodb")]
pub mod dynamo;
mod environment;
mod memory;
#[cfg(any(feature = "dynamodb", feature = "kms"))]
mod pack;
mod page;
#[cfg(feature = "kms")]
pub mod sealed;
#[cfg(feature = "sqlite")]
mod sqlite;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

#[cfg(feature = "dynamodb")]
pub use dynamo::DynamoStore;
pub use environment::{UnusableStore, from_env};
pub use memory::MemoryStore;
#[cfg(feature = "kms")]
pub use sealed::Sealed;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

pub use crate::journal::Place;
use crate::{Digest, ThreadId};

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

/// How a thread stands, as the index of a store keeps it.
///
/// ```
/// use hitl::store::Standing;
///
/// assert_eq!(Standing::InDoubt.as_str(), "in_doubt");
/// assert_eq!(serde_json::to_string(&Standing::InDoubt)?, r#""in_doubt""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A runner has it, or had it when it died.
    Running,
    /// It waits for a person, and for nothing else.
    Waiting,
    /// An effect may or may not have happened.
    InDoubt,
    /// A node failed.
    Failed,
    /// It has come to its end.
    Ended,
}

impl Standing {
    /// The word for it.
    ///
    /// ```
    /// assert_eq!(hitl::store::Standing::Waiting.as_str(), "waiting");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::InDoubt => "in_doubt",
            Self::Failed => "failed",
            Self::Ended => "ended",
        }
    }
}

/// An open review, as the index of a store keeps it.
///
/// ```
/// use hitl::{Digest, ThreadId, store::OpenReview};
///
/// let review = OpenReview {
///     thread: ThreadId::new("ticket-A-9133")?,
///     graph: "RefundAgent".into(),
///     node: "execute".into(),
///     digest: Digest::of(b"the draft"),
///     role: Some("refund-approver".into()),
///     place: 3,
///     opened_ms: 1_763_800_000_000,
///     deadline_ms: None,
/// };
/// assert_eq!(review.node, "execute");
/// # Ok::<(), hitl::InvalidThreadId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenReview {
    /// The thread that waits.
    pub thread: ThreadId,
    /// The graph that it runs on.
    pub graph: String,
    /// The node that will run once the draft is signed.
    pub node: String,
    /// What is to be signed.
    pub digest: Digest,
    /// The role that the operator must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Where the review was opened.
    pub place: Place,
    /// When the review was opened, in milliseconds since the epoch.
    pub opened_ms: u64,
    /// When it expires, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
}

/// Entries to append, and what the index says of the thread once they are there. The example is
/// [in the module](self).
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
    /// The entries from the last snapshot (itself included) or from the first place, to the head.
    pub records: Vec<Record>,
}

/// One page of a list, and where the next one starts.
///
/// ```
/// use hitl::store::{MemoryStore, Page, Store};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), hitl::store::StoreError> {
/// let store = MemoryStore::new();
/// let mut after = None;
/// loop {
///     let Page { items, next } = store.reviews(after.as_deref(), 50).await?;
///     items.iter().for_each(|review| println!("{} waits at {}", review.thread, review.node));
///     match next {
///         Some(next) => after = Some(next),
///         None => break,
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to ask for next; `None` on the last page.
    pub next: Option<String>,
}

/// A journal's keeper. Whoever writes one runs [`conformance`] on it; the example is [in the module](self).
///
/// Every method is safe to call from many tasks and many processes at once. What was appended before a read began
/// is in what it reads. When a future is dropped, an append has happened whole or not at all.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::{Place, ThreadId, store::*};
/// use std::{pin::Pin, sync::{Arc, atomic::{AtomicU64, Ordering::Relaxed}}};
///
/// type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;
///
/// /// A store in front of another one, which counts what is written.
/// #[derive(Clone, Default)]
/// struct Counted {
///     store: MemoryStore,
///     entries: Arc<AtomicU64>,
/// }
///
/// impl Store for Counted {
///     fn append(&self, append: Append) -> Answer<'_, ()> {
///         self.entries.fetch_add(append.records.len() as u64, Relaxed);
///         self.store.append(append)
///     }
///
///     fn tail<'a>(&'a self, thread: &'a ThreadId) -> Answer<'a, Option<Tail>> {
///         self.store.tail(thread)
///     }
///     // … and so on.
/// #     fn entries<'a>(&'a self, thread: &'a ThreadId, from: Place, limit: usize) -> Answer<'a, Vec<Record>> {
/// #         self.store.entries(thread, from, limit)
/// #     }
/// #     fn reviews<'a>(&'a self, after: Option<&'a str>, limit: usize) -> Answer<'a, Page<OpenReview>> {
/// #         self.store.reviews(after, limit)
/// #     }
/// #     fn threads<'a>(
/// #         &'a self,
/// #         standing: Option<Standing>,
/// #         after: Option<&'a str>,
/// #         limit: usize,
/// #     ) -> Answer<'a, Page<(ThreadId, Standing)>> {
/// #         self.store.threads(standing, after, limit)
/// #     }
/// #     fn due<'a>(&'a self, by_ms: u64, after: Option<&'a str>, limit: usize) -> Answer<'a, Page<ThreadId>> {
/// #         self.store.due(by_ms, after, limit)
/// #     }
/// #     fn delete<'a>(&'a self, thread: &'a ThreadId) -> Answer<'a, ()> {
/// #         self.store.delete(thread)
/// #     }
/// }
///
/// // Whatever it is made of, this says whether it is a store; `conformance::all` asks for everything.
/// let store = Counted::default();
/// conformance::fence(async || store.clone()).await;
/// # Ok(())
/// # }
/// ```
pub trait Store: Send + Sync + 'static {
    /// Appends entries and replaces what the index says of the thread, all or none, durably before it returns.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another entry stands at the first place already, or at the place before it stands
    /// none, or one with another hash than `after`.
    /// [`StoreError::BadAppend`] when [`Append::check`] refuses it. After either, nothing was written.
    ///
    /// After [`StoreError::Failed`] the caller does not know: a disk may have failed between the writing and the
    /// answer. The same append again settles it; if that is `Taken`, the journal's tail says by whom.
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Whether who appends should ask again for a while after [`StoreError::Failed`]. Not where nothing fails, nor where
    /// the store has asked again itself, for two who are patient multiply; and then no copy of the append is kept.
    fn wants_patience(&self) -> bool {
        true
    }

    /// The entries from the last snapshot to the head; `None` for a thread that does not exist.
    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>>;

    /// At most `limit` entries from place `from` on; empty past the head and for a thread that does not exist.
    /// Only an empty answer means the end: a store whose own pages are small may give fewer than `limit`.
    fn entries<'a>(
        &'a self,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>>;

    /// The open reviews, oldest first. `after` is the `next` of the page before; a `limit` of 0 counts as 1.
    /// A review that is open from the first page to the last is seen exactly once, whatever comes and goes meanwhile.
    ///
    /// # Errors
    /// [`StoreError::BadPage`] when `after` is no `next` of this list.
    fn reviews<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>>;

    /// The threads that stand thus, in the order of their ids' bytes. `after` is the `next` of the page before; a
    /// `limit` of 0 counts as 1.
    ///
    /// # Errors
    /// [`StoreError::BadPage`] when `after` is no `next` of this list.
    fn threads<'a>(
        &'a self,
        standing: Option<Standing>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, Standing)>, StoreError>>;

    /// The threads that are due by this time, those first that have been due for longest. `after` is the `next` of
    /// the page before; a `limit` of 0 counts as 1. A thread that stays due at one time from the first page to the
    /// last is seen exactly once.
    ///
    /// # Errors
    /// [`StoreError::BadPage`] when `after` is no `next` of this list.
    fn due<'a>(
        &'a self,
        by_ms: u64,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>>;

    /// Deletes a thread whole: its entries and its reviews. Deleting one that does not exist is no error.
    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>>;
}

impl<S: Store + ?Sized> Store for std::sync::Arc<S> {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), StoreError>> {
        (**self).append(append)
    }

    fn wants_patience(&self) -> bool {
        (**self).wants_patience()
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        (**self).tail(thread)
    }

    fn entries<'a>(
        &'a self,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        (**self).entries(thread, from, limit)
    }

    fn reviews<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>> {
        (**self).reviews(after, limit)
    }

    fn threads<'a>(
        &'a self,
        standing: Option<Standing>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, Standing)>, StoreError>> {
        (**self).threads(standing, after, limit)
    }

    fn due<'a>(
        &'a self,
        by_ms: u64,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        (**self).due(by_ms, after, limit)
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>> {
        (**self).delete(thread)
    }
}

/// Why a store could not do what it was asked. None of them shows what an entry holds.
///
/// ```
/// use hitl::store::{MemoryStore, Store, StoreError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = MemoryStore::new().reviews(Some("page 2"), 10).await.unwrap_err();
/// assert_eq!(error.to_string(), "`page 2` is no page of this list; start from the first page");
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The place is taken: somebody else has appended since the caller read the journal.
    #[error("place {place} of thread `{thread}` is taken")]
    Taken {
        /// The thread.
        thread: ThreadId,
        /// The place that was to be filled.
        place: Place,
    },
    /// The file, table or service is there, and is not one of ours.
    #[error("{location} is not a hitl store: {problem}")]
    NotOurs {
        /// The file or table.
        location: String,
        /// How that shows.
        problem: String,
    },
    /// A newer hitl wrote it.
    #[error(
        "{location} has schema version {found}, and this program reads up to {known}; run a newer program"
    )]
    FromTheFuture {
        /// The file or table.
        location: String,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The storage failed: a full disk, a lock that nobody gave back, a connection that broke.
    #[error("{location}: {problem}")]
    Failed {
        /// The file, table or service.
        location: String,
        /// What it said, and what to do where that is known.
        problem: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// What was to be appended can stand nowhere: the caller is at fault.
    #[error("nothing was appended to thread `{thread}`: {problem}")]
    BadAppend {
        /// The thread.
        thread: ThreadId,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The page token was not made by this store.
    #[error("`{0}` is no page of this list; start from the first page")]
    BadPage(String),
    /// There is no data key to seal or to open with. After this, nothing was written.
    #[cfg(feature = "kms")]
    #[error(transparent)]
    Key(sealed::KeyError),
    /// An entry is there and is not read, for it is not what was sealed.
    #[cfg(feature = "kms")]
    #[error("entry {place} of thread `{thread}` is not read: {problem}")]
    Sealed {
        /// The thread.
        thread: ThreadId,
        /// Where the entry stands.
        place: Place,
        /// Why it is not read.
        problem: sealed::SealError,
    },
}
