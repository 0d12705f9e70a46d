//! Storage of journals: the [`Store`] trait, its data and its errors, and a store in memory.
//!
//! A store appends entries at a place, reads a journal from its last snapshot, pages through a history, lists threads,
//! due threads and open reviews, and deletes a thread. It does not interpret entries: to a store, an entry is a place,
//! a hash and bytes.
//!
//! ```
//! use hitl::store::{Append, MemoryStore, Record, Store, StoreError, ThreadStatus};
//! use hitl::{Digest, Place, ThreadId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let thread = ThreadId::new("ticket-A-9133")?;
//! let record = Record::new(0, Digest::of(b"{}"), b"{}".to_vec()).with_snapshot(true);
//! let first = Append::new(thread.clone(), vec![record], ThreadStatus::Running);
//! store.append(first.clone()).await?;
//!
//! // A second append at the same place is a conflict, and nothing is written.
//! assert!(matches!(store.append(first).await, Err(StoreError::Conflict { place: Place::START, .. })));
//! assert_eq!(store.tail(&thread).await?.map(|tail| tail.records.len()), Some(1));
//! # Ok(())
//! # }
//! ```
//!
//! # Implementations
//!
//! A later version may add fields to the values that a store returns, so a store creates them by their constructors:
//!
//! ```
//! use hitl::{Digest, store::{OpenReview, Page, Record, Tail}};
//!
//! /// A row of a table of entries.
//! struct Row {
//!     place: u64,
//!     hash: [u8; 32],
//!     body: Vec<u8>,
//!     snapshot: bool,
//! }
//!
//! fn record(row: Row) -> Record {
//!     Record::new(row.place, Digest::from_bytes(row.hash), row.body).with_snapshot(row.snapshot)
//! }
//!
//! fn tail(rows: Vec<Row>, before: Option<[u8; 32]>) -> Tail {
//!     Tail::new(rows.into_iter().map(record).collect()).with_before(before.map(Digest::from_bytes))
//! }
//!
//! fn page(reviews: Vec<OpenReview>, next: Option<String>) -> Page<OpenReview> {
//!     Page::new(reviews, next)
//! }
//! # let _ = (tail, page);
//! ```
//!
//! Run the conformance suite of `hitl-testkit` on an implementation of your own.

mod append;
mod arc;
mod error;
mod index;
mod layer;
mod memory;
mod memory_tallies;
mod page_token;
mod tally;

pub use append::{Append, Record, Tail};
pub use error::StoreError;
pub use futures_util::future::BoxFuture;
pub use index::{OpenReview, Page, ThreadStatus};
pub use layer::{LayeredStore, StoreLayer};
pub use memory::MemoryStore;
pub use page_token::{page_token, position_after};
pub use tally::{Backfill, Tally, UncountedThread};

use crate::{Place, ThreadId, Timestamp};

/// Storage of journals. Run the conformance suite of `hitl-testkit` on every implementation. For an example of use,
/// see [the module](self).
///
/// All methods may be called concurrently by many tasks and many processes. A read returns everything whose append was
/// complete before the read began. If the future of an append is dropped, the append is written completely or not at
/// all. The futures may be polled by any runtime, or by none: a store that blocks moves its work to threads of its own.
///
/// A store writes a [`ThreadId`] as its text and reads it by [`ThreadId::existing`], as its `Deserialize` does: older
/// names are still valid there. For a store in front of another one, see [`StoreLayer`].
pub trait Store: Send + Sync + 'static {
    /// Appends entries and replaces the thread's data in the index. The change is atomic, and durable when this
    /// returns.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the first place is already occupied, or the entry before it is missing or has another
    /// hash than `after`. [`StoreError::InvalidAppend`] if [`Append::check`] rejects the append, or if it exceeds a
    /// limit of the store. In both cases nothing was written.
    ///
    /// After [`StoreError::Failed`] the outcome is unknown: the storage may have failed between the write and its
    /// response. Retry the same append to find out. If the retry returns `Conflict`, the journal's tail shows whose
    /// entry occupies the place.
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Returns whether the caller should retry an append for a while after [`StoreError::Failed`]. Return `false` if
    /// the store cannot fail, or if it retries internally, because nested retries multiply. With `false`, the caller
    /// also keeps no copy of the append. The default is `true`.
    fn should_retry_appends(&self) -> bool {
        true
    }

    /// Returns the entries from the last snapshot to the head, and the hash of the entry before them; `None` if the
    /// thread does not exist. The result is a consistent view of one moment.
    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>>;

    /// Returns at most `limit` entries from place `from` on; none past the head and for a thread that does not exist.
    /// Only an empty result marks the end: a store whose own pages are small may return fewer than `limit`.
    fn entries<'a>(
        &'a self,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>>;

    /// Returns a page of the open reviews, oldest first, and those of the same time in any order. `after` is the `next` of the previous page; a `limit` of 0
    /// counts as 1. A review that stays open from the first page to the last is returned exactly once, despite
    /// concurrent changes.
    ///
    /// # Errors
    /// [`StoreError::InvalidPageToken`] if `after` is not a `next` of this list.
    fn reviews<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>>;

    /// Returns a page of the threads with this status, or of all threads for `None`, in the byte order of their ids.
    /// `after` is the `next` of the previous page; a `limit` of 0 counts as 1.
    ///
    /// # Errors
    /// [`StoreError::InvalidPageToken`] if `after` is not a `next` of this list.
    fn threads<'a>(
        &'a self,
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, ThreadStatus)>, StoreError>>;

    /// Returns a page of the threads whose due time is at most `by`, earliest due time first. `after` is the `next` of
    /// the previous page; a `limit` of 0 counts as 1. A thread whose due time stays the same from the first page to the
    /// last is returned exactly once.
    ///
    /// # Errors
    /// [`StoreError::InvalidPageToken`] if `after` is not a `next` of this list.
    fn due<'a>(
        &'a self,
        by: Timestamp,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>>;

    /// Deletes a thread with its entries and its data in the index. Succeeds if the thread does not exist.
    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Returns whether this store keeps the tallies of an append. `false`, the default, is right for a store that
    /// encrypts entries or separates tenants before another one: tallies name operators, and are then not sent to it.
    fn keeps_tallies(&self) -> bool {
        false
    }

    /// Returns a page of the tallies whose group is at least `from`, in the byte order of their groups. A group may be
    /// returned several times, one after the other: the sums of its counts are what counts.
    ///
    /// `None`, the default, says that there are no tallies to rely on, so the caller reads the journals. That is the
    /// answer of a store that keeps none, and of one that found a tally it cannot read: it then deletes all tallies,
    /// and [`Self::uncounted`] returns every thread from place 0 on, so that all are counted again.
    ///
    /// A store that [keeps tallies](Self::keeps_tallies) adds [`Append::tallies`] in the same atomic change as the
    /// entries, and implements [`Self::uncounted`], [`Self::backfill`] and [`Self::delete_tallies`] too. No tally,
    /// readable or not, makes an append fail. Deleting a thread leaves its counts in the tallies: they have no content
    /// of the thread.
    ///
    /// # Errors
    /// [`StoreError::InvalidPageToken`] if `after` is not a `next` of this list.
    fn tallies<'a>(
        &'a self,
        from: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Option<Page<Tally>>, StoreError>> {
        let _ = (from, after, limit);
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Returns a page of the threads with entries that the tallies do not count, in any order: the entries that were
    /// appended without tallies, and all that follow them in the same thread. A thread that is uncounted from the first
    /// page to the last is returned exactly once. `after` is the `next` of the previous page; a `limit` of 0 counts as
    /// 1.
    ///
    /// # Errors
    /// [`StoreError::InvalidPageToken`] if `after` is not a `next` of this list.
    fn uncounted<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<UncountedThread>, StoreError>> {
        let _ = (after, limit);
        Box::pin(std::future::ready(Ok(Page::new(Vec::new(), None))))
    }

    /// Adds the tallies of entries that were appended without. Returns `false`, and changes nothing, if the first
    /// entry that is not counted is another one by now, or the last entry of the range has another hash.
    fn backfill(&self, backfill: Backfill) -> BoxFuture<'_, Result<bool, StoreError>> {
        drop(backfill);
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Deletes the tallies whose group is less than `before`, or all for `None`. The entries stay counted: what is
    /// deleted is not computed again.
    fn delete_tallies<'a>(&'a self, before: Option<&'a str>) -> BoxFuture<'a, Result<(), StoreError>> {
        let _ = before;
        Box::pin(std::future::ready(Ok(())))
    }

    /// Returns the name of the database system in traces, `db.system.name` in OpenTelemetry: `sqlite` or
    /// `aws.dynamodb`, or by default the name of the type.
    fn system_name(&self) -> &str {
        let path = std::any::type_name::<Self>();
        let path = path.split('<').next().unwrap_or(path);
        path.rsplit("::").next().unwrap_or(path)
    }
}
