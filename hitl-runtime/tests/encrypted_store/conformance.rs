//! The store conformance suite, run against encrypted stores.

use hitl_runtime::store::{
    MemoryStore, SqliteStore, Store as _,
    encrypted::{Bounds, EncryptedStore, Keyring},
};
use hitl_testkit::conformance;

use crate::vault::Vault;

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
