//! Storage of journals: the [`Store`] trait, and its implementations.
//!
//! The trait, its data, its errors and [`MemoryStore`] are those of the crate `hitl-core`, on which the crate of another
//! store depends. With the feature `sqlite` there is `SqliteStore`, and with the feature `dynamodb`, `DynamoStore`. With
//! the feature `kms`, `EncryptedStore` wraps any store and encrypts each entry.
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

#[cfg(any(feature = "dynamodb", feature = "kms"))]
mod compression;
#[cfg(feature = "dynamodb")]
pub mod dynamo;
#[cfg(feature = "kms")]
pub mod encrypted;
mod env;
#[cfg(feature = "sqlite")]
mod sqlite;
mod traced;

pub use env::{UnusableStore, from_env};
pub use hitl_core::store::{
    Append, Backfill, BoxFuture, LayeredStore, MemoryStore, OpenReview, Page, Record, Store, StoreError,
    StoreLayer, Tail, Tally, ThreadStatus, UncountedThread, page_token, position_after,
};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub(crate) use traced::traced;
