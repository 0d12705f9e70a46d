//! What every store must do, for whoever writes one.
//!
//! Give [`all`] a way to open the store, as often as it asks, onto the same data. It panics with a sentence at the
//! first promise of [`Store`] that is not kept.
//!
//! ```
//! use hitl::store::{MemoryStore, conformance};
//!
//! # #[tokio::main]
//! # async fn main() {
//! let store = MemoryStore::new();
//! conformance::all(async || store.clone()).await;
//! # }
//! ```
//!
//! It needs a tokio runtime, best one of several threads. Every thread that it makes has a name that was never used
//! before, so a table that is kept between runs will do, as long as nobody else writes to it meanwhile; what it made
//! it deletes, unless it has panicked.
//!
//! # More than one process
//!
//! A store that several processes can open owes two things that one process cannot show. Both need a test program
//! that starts itself again as a child:
//!
//! - **A race.** Each child opens the store, calls [`contend`] with its own name and the same thread, and prints what
//!   it returns: the places that it filled. The parent adds them up: each place once, none missing; and [`whole`]
//!   must agree.
//! - **A crash, between the parts of an append too.** A child calls [`append_until_killed`] and prints each place as it
//!   is acknowledged. The parent kills it after some lines, opens the store, and calls [`after_crash`] with the last
//!   place that it has read. Each sixth append is a large one, so a kill after 5, 11, 17 … lines meets it in the
//!   middle. Do it often, for a kill comes at no certain moment; and where your store's medium can be made to fail at
//!   a certain byte or call, walk through all of them: `tests/faults/torn.rs` does so for the SQLite store.
//!
//! ```
//! use hitl::{ThreadId, store::{MemoryStore, conformance}};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), hitl::InvalidThreadId> {
//! # let store = MemoryStore::new();
//! let thread = ThreadId::new("the prize")?;
//! let filled = conformance::contend(&store, &thread, "child 1", 100).await;
//! assert_eq!(filled, (0..100).collect::<Vec<_>>());
//! assert_eq!(conformance::whole(&store, &thread).await.len(), 100);
//! # Ok(())
//! # }
//! ```
//!
//! The children of this crate's own tests are in `tests/store_sqlite.rs`.
//!
//! # What no suite can show
//!
//! A killed process leaves its system alive, and what the system holds in memory still comes to the disk. That an
//! acknowledged append outlives the loss of power is for you to see to: sync before you answer, and know what your disk
//! or service means by it. And a service may fail in ways that this machine cannot: read once more what
//! [`Store::append`] owes after [`StoreError::Failed`](super::StoreError::Failed).
mod crowd;
mod index;
mod journal;
mod processes;
mod samples;

pub use crowd::{crowd, dropped_futures, race, readers_and_writers};
pub use index::{due_pages, page_tokens, review_index, review_pages, thread_pages};
pub use journal::{
    deletion, fence, isolation, large_appends, long_tails, names, order, refusals, reopening, sizes, tails,
    unknown,
};
pub use processes::{after_crash, append_until_killed, contend, whole};

use super::Store;

/// Every check of this module that one process can make, one after the other.
///
/// ```
/// # #[tokio::main]
/// # async fn main() {
/// let store = hitl::store::MemoryStore::new();
/// hitl::store::conformance::all(async || store.clone()).await;
/// # }
/// ```
///
/// # Panics
/// When a promise is not kept.
pub async fn all<S: Store>(open: impl AsyncFn() -> S) {
    unknown(&open).await;
    order(&open).await;
    fence(&open).await;
    refusals(&open).await;
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
    deletion(&open).await;
    reopening(&open).await;
    race(&open).await;
    readers_and_writers(&open).await;
    crowd(&open).await;
    dropped_futures(&open).await;
}
