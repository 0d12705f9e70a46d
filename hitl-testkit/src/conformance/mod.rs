//! A conformance suite for implementations of [`Store`].
//!
//! Pass [`all`] a function that opens the store. It is called several times, and must open the same data each time. The
//! suite panics with a message at the first promise of [`Store`] that is not kept.
//!
//! ```
//! use hitl::{store::MemoryStore, testkit::conformance};
//!
//! # #[tokio::main]
//! # async fn main() {
//! let store = MemoryStore::new();
//! conformance::all(async || store.clone()).await;
//! # }
//! ```
//!
//! The suite needs a tokio runtime, preferably a multi-threaded one. Every thread that it creates has a new unique
//! name, so a table may be reused between runs, as long as nothing else writes to it at the same time. The suite
//! deletes the threads that it created, unless it panics.
//!
//! # More than one process
//!
//! A store that several processes can open has two more promises, which one process cannot check. Both need a test
//! program that starts itself again as a child process:
//!
//! - **A race.** Each child opens the store, calls [`contend`] with its own name and the same thread, and prints the
//!   result: the places that it filled. The parent checks that all children together filled each place once and left
//!   none out, and that [`read_journal`] agrees.
//! - **A crash, also in the middle of an append.** A child calls [`append_until_killed`] and prints each place once it
//!   is acknowledged. The parent kills the child after some lines, opens the store, and calls [`after_crash`] with the
//!   last place that it read. Every sixth append is a large one, which begins after 5, 11, 17, … lines: kill some time
//!   after such a line, with another delay each time. Repeat this often, because the moment of a kill is not
//!   deterministic. If your storage can be made to
//!   fail at a certain byte or call, check all of them: `hitl-runtime/tests/faults/torn_appends.rs` does so for the SQLite store.
//!
//! ```
//! use hitl::{Place, ThreadId, store::MemoryStore, testkit::conformance};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), hitl::InvalidThreadId> {
//! # let store = MemoryStore::new();
//! let thread = ThreadId::new("the prize")?;
//! let filled = conformance::contend(&store, &thread, "child 1", 100).await;
//! assert_eq!(filled, (0..100).map(Place::new).collect::<Vec<_>>());
//! assert_eq!(conformance::read_journal(&store, &thread).await.len(), 100);
//! # Ok(())
//! # }
//! ```
//!
//! The child processes of the SQLite store are in `hitl-runtime/tests/store_sqlite.rs`.
//!
//! # Limits of the suite
//!
//! After a process is killed, the operating system still writes its buffers to disk. The suite therefore cannot show
//! that an acknowledged append survives a loss of power: sync before you return, and know what your disk or service
//! guarantees. A service may also fail in ways that one machine cannot reproduce: see what [`Store::append`] promises
//! after [`StoreError::Failed`](hitl_core::store::StoreError::Failed).
mod concurrency;
mod index;
mod journal;
mod processes;
mod samples;
mod tallies;

use hitl_core::store::Store;

pub use concurrency::{dropped_futures, many_threads, race, readers_and_writers};
pub use index::{due_pages, page_tokens, review_index, review_pages, thread_pages};
pub use journal::{
    conflicts, deletion, invalid_appends, isolation, large_appends, long_tails, names, order, reopening,
    sizes, tails, unknown_thread,
};
pub use processes::{after_crash, append_until_killed, contend, read_journal};
pub use tallies::tallies;

/// Runs every check of this module that needs one process only, one after the other.
///
/// ```
/// # #[tokio::main]
/// # async fn main() {
/// let store = hitl::store::MemoryStore::new();
/// hitl::testkit::conformance::all(async || store.clone()).await;
/// # }
/// ```
///
/// # Panics
/// If a promise is not kept.
pub async fn all<S: Store>(open: impl AsyncFn() -> S) {
    unknown_thread(&open).await;
    order(&open).await;
    conflicts(&open).await;
    invalid_appends(&open).await;
    tails(&open).await;
    isolation(&open).await;
    names(&open).await;
    sizes(&open).await;
    large_appends(&open).await;
    long_tails(&open).await;
    review_index(&open).await;
    review_pages(&open).await;
    thread_pages(&open).await;
    due_pages(&open).await;
    page_tokens(&open).await;
    tallies(&open).await;
    deletion(&open).await;
    reopening(&open).await;
    race(&open).await;
    readers_and_writers(&open).await;
    many_threads(&open).await;
    dropped_futures(&open).await;
}
