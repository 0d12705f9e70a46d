//! The store conformance suite, run against encrypted stores.

use hitl_runtime::store::{
    MemoryStore, SqliteStore, Store as _, Tally,
    encrypted::{Bounds, EncryptedStore, Keyring},
};
use hitl_testkit::conformance;

use crate::{
    journal::{append, record, thread},
    vault::Vault,
};

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_memory_store_conforms() {
    let store = EncryptedStore::new(MemoryStore::new(), Vault::default());
    assert_eq!(store.system_name(), "memory");
    conformance::all(async || store.clone()).await;
}

/// Opens each store with its own keyring before one vault, as another process would, and with data keys that are used
/// for only three entries each.
#[tokio::test(flavor = "multi_thread")]
async fn encrypted_sqlite_store_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("threads.db");
    let vault = Vault::default();
    let bounds = Bounds::default().messages(3).cached_keys(5);
    conformance::all(async || {
        EncryptedStore::new(
            SqliteStore::open(&path).await.unwrap(),
            Keyring::new(vault.clone()).bounds(bounds),
        )
    })
    .await;
    let (made, unwrapped) = vault.calls();
    assert!(made > 100 && unwrapped > 100, "{made} and {unwrapped} are too few for these bounds");
}

/// The names of operators in tallies are plaintext, also in those of the time before the store was encrypted.
#[tokio::test]
async fn an_encrypted_store_has_no_tallies_and_deletes_the_old_ones() {
    let inner = MemoryStore::new();
    let counted = || Some(vec![Tally::new("mara").with_count("approve", 1)]);
    let (old, new) = (record(0, b"a secret"), record(1, b"a new secret"));
    let first = append(&thread("a"), None, vec![old.clone()]).with_tallies(counted());
    inner.append(first).await.unwrap();
    assert_eq!(inner.tallies("", None, 10).await.unwrap().unwrap().items.len(), 1);

    let store = EncryptedStore::new(inner.clone(), Vault::default()).allow_plaintext();
    assert!(store.tallies("", None, 10).await.unwrap().is_none());
    store.append(append(&thread("a"), Some(&old), vec![new]).with_tallies(counted())).await.unwrap();
    assert!(inner.tallies("", None, 10).await.unwrap().unwrap().items.is_empty());
}
