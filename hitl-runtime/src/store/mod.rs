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

mod append;
pub mod conformance;
#[cfg(feature = "dynamodb")]
pub mod dynamo;
mod environment;
mod error;
mod index;
mod memory;
#[cfg(any(feature = "dynamodb", feature = "kms"))]
mod pack;
mod page;
#[cfg(feature = "kms")]
pub mod sealed;
mod shared;
#[cfg(feature = "sqlite")]
mod sqlite;

use futures_util::future::BoxFuture;

pub use append::{Append, Record, Tail};
#[cfg(feature = "dynamodb")]
pub use dynamo::DynamoStore;
pub use environment::{UnusableStore, from_env};
pub use error::StoreError;
pub use index::{OpenReview, Page, Standing};
pub use memory::MemoryStore;
#[cfg(feature = "kms")]
pub use sealed::Sealed;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

use crate::ThreadId;
pub use crate::journal::Place;

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

    /// The entries from the last snapshot to the head, and the hash of the entry before them; `None` for a thread that
    /// does not exist. All of it is of one moment.
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
