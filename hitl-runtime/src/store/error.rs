//! Why a store could not do what it was asked.

#[cfg(feature = "kms")]
use super::sealed;
use crate::{ThreadId, journal::Place};

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
