//! Journals that an attacker with write access to the store has changed.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod adoption;
mod altered;
mod attacks;
mod audit;
#[cfg(feature = "kms")]
#[path = "../model/emulator.rs"]
mod emulator;
mod evidence;
mod forged;
mod key_purposes;
#[path = "../../../tests/kit/mod.rs"]
mod kit;
#[cfg(feature = "kms")]
mod kms;
#[cfg(feature = "kms")]
#[path = "../encrypted_store/kms_client.rs"]
mod kms_client;
mod loop_limits;
mod pay_agent;
mod pending_edits;
mod requesters;
mod rules;
#[cfg(feature = "kms")]
#[path = "../model/server.rs"]
#[allow(dead_code)]
mod server;
mod unsigned_effects;

use hitl::MemoryStore;

#[tokio::test]
async fn attacks_on_a_memory_journal_are_detected() {
    attacks::all(MemoryStore::new()).await;
    attacks::every_entry_altered(MemoryStore::new()).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn attacks_on_a_sqlite_journal_are_detected() {
    let folder = tempfile::tempdir().unwrap();
    let store = hitl::SqliteStore::open(folder.path().join("threads.db")).await.unwrap();
    attacks::all(std::sync::Arc::new(store)).await;
}
