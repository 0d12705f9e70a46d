//! Journals that an attacker with write access to the store has changed.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod adoption;
mod altered;
mod attacks;
mod desk;
#[cfg(feature = "kms")]
#[path = "../model/emulator.rs"]
mod emulator;
mod evidence;
mod forged;
mod impossible;
#[cfg(feature = "kms")]
mod kms;
mod meaning;
mod pending;
mod purposes;
#[cfg(feature = "kms")]
#[path = "../model/server.rs"]
#[allow(dead_code)]
mod server;

use hitl::MemoryStore;

#[tokio::test]
async fn memory_gives_nothing_away() {
    attacks::all(MemoryStore::new()).await;
    attacks::every_entry_altered(MemoryStore::new()).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn sqlite_gives_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = hitl::SqliteStore::open(folder.path().join("threads.db")).await.unwrap();
    attacks::all(std::sync::Arc::new(store)).await;
}
