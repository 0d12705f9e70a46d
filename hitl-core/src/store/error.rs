//! Errors of a store.

use crate::{Place, ThreadId};

/// An error of a [`Store`](super::Store). No variant shows the content of an entry.
///
/// ```
/// use hitl::store::{MemoryStore, Store, StoreError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = MemoryStore::new().reviews(Some("page 2"), 10).await.unwrap_err();
/// assert_eq!(error.to_string(), "`page 2` is not a page token of this list; start from the first page");
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A conflict: since the caller read the journal, another writer appended to the thread, or the thread was deleted.
    #[error(
        "place {place} of thread `{thread}` is already occupied, or the thread was deleted; reload the thread and \
         append again"
    )]
    Conflict {
        /// The thread.
        thread: ThreadId,
        /// The place of the first entry of the append.
        place: Place,
    },
    /// A file, table or service that exists, but is not one of this store.
    #[error("{location} is not a hitl store: {problem}")]
    NotAStore {
        /// The file or table.
        location: String,
        /// A description of the mismatch.
        problem: String,
    },
    /// A file, table or entry that a newer version of hitl wrote.
    #[error(
        "{location} has schema version {found}, but this program supports versions up to {known}; use a newer version \
         of hitl"
    )]
    NewerSchema {
        /// The file, table or entry.
        location: String,
        /// Its schema version.
        found: i64,
        /// The newest schema version that this program supports.
        known: i64,
    },
    /// A failure of the storage, such as a full disk, a lock that was not released in time, or a broken connection.
    #[error("{location}: {problem}")]
    Failed {
        /// The file, table or service.
        location: String,
        /// A description of the failure, with a remedy if one is known.
        problem: String,
        /// The underlying error, if there is one.
        #[source]
        source: Option<Cause>,
    },
    /// An append that is invalid or exceeds a limit of the store. The caller is at fault: a retry cannot succeed.
    #[error("the append to thread `{thread}` was rejected: {problem}")]
    InvalidAppend {
        /// The thread.
        thread: ThreadId,
        /// The reason for the rejection.
        problem: &'static str,
    },
    /// A page token that this list did not return.
    #[error("`{0}` is not a page token of this list; start from the first page")]
    InvalidPageToken(String),
    /// No data key is available to encrypt or decrypt entries. Nothing was written.
    #[error(transparent)]
    Key(Cause),
    /// An entry that is rejected on reading, because it is not what this program encrypted for this place.
    #[error("entry {place} of thread `{thread}` was rejected: {problem}")]
    Decryption {
        /// The thread.
        thread: ThreadId,
        /// The place of the entry.
        place: Place,
        /// The reason for the rejection.
        problem: Cause,
    },
}

/// An error of what a store is built on.
type Cause = Box<dyn std::error::Error + Send + Sync>;
