//! Data keys: each is used for many entries, within its bounds.

use std::time::Duration;

use futures_util::{future::join_all, poll};
use hitl_runtime::{
    Place, StoreError,
    store::{
        MemoryStore, Store,
        encrypted::{Bounds, DecryptError, EncryptedStore, KeyError, Keyring},
    },
};

use crate::{
    journal::{append, record, rewrite, thread, write},
    vault::{Vault, WRAPPED},
};

fn store(inner: &MemoryStore, vault: &Vault, bounds: Bounds) -> EncryptedStore<MemoryStore> {
    EncryptedStore::new(inner.clone(), Keyring::new(vault.clone()).bounds(bounds))
}

#[tokio::test]
async fn one_data_key_encrypts_many_entries_and_is_fetched_once() {
    let (inner, vault) = (MemoryStore::new(), Vault::default());
    let store = store(&inner, &vault, Bounds::default());
    let names: Vec<_> = (0..50).map(|i| thread(&format!("{i}"))).collect();
    join_all(names.iter().map(|name| write(&store, name, &["one", "two"]))).await;
    assert_eq!(vault.calls(), (1, 0));
    join_all(names.iter().map(|name| async { store.entries(name, 0.into(), 10).await.unwrap() })).await;
    assert_eq!(vault.calls(), (1, 1));
}

#[tokio::test]
async fn entries_of_an_expired_data_key_are_still_readable() {
    let by = |bounds| (bounds, ["0123456789"; 6]);
    let cases = [
        (by(Bounds::default().messages(2)), 3),
        (by(Bounds::default().bytes(30)), 2),
        // An entry that exceeds a bound by itself gets its own data key.
        (by(Bounds::default().bytes(5)), 6),
        (by(Bounds::default().age(Duration::ZERO)), 6),
        (by(Bounds::default()), 1),
    ];
    for ((bounds, bodies), keys) in cases {
        let (inner, vault) = (MemoryStore::new(), Vault::default());
        write(&store(&inner, &vault, bounds), &thread("a"), &bodies).await;
        assert_eq!(vault.calls().0, keys, "{bounds:?}");
        let another = store(&inner, &vault, Bounds::default());
        assert_eq!(another.entries(&thread("a"), 0.into(), 10).await.unwrap().len(), 6);
        assert_eq!(vault.calls().1, keys, "each is unwrapped once: {bounds:?}");
    }
}

#[tokio::test]
async fn the_number_of_cached_data_keys_is_limited() {
    let (inner, vault) = (MemoryStore::new(), Vault::default());
    let bounds = Bounds::default().messages(1).cached_keys(2);
    let store = store(&inner, &vault, bounds);
    write(&store, &thread("a"), &["0", "1", "2"]).await;
    let read = async |place| drop(store.entries(&thread("a"), place, 1).await.unwrap());
    for (place, unwrapped) in [(0, 1), (1, 2), (1, 2), (0, 2), (2, 3), (1, 3), (0, 4)] {
        read(place.into()).await;
        assert_eq!(vault.calls().1, unwrapped, "place {place}");
    }
}

/// Concurrent callers share one call to the vault and its error: each call may take until the vault's timeout.
#[tokio::test]
async fn concurrent_callers_share_one_failed_call() {
    let (inner, vault) = (MemoryStore::new(), Vault::default());
    let writer = store(&inner, &vault, Bounds::default());
    write(&writer, &thread("a"), &["one"]).await;
    // A store without cached data keys.
    let store = store(&inner, &vault, Bounds::default());
    let names: Vec<_> = (0..50).map(|i| thread(&format!("{i}"))).collect();
    let write = |name| store.append(append(name, None, vec![record(0, b"a secret")]));
    let read = || async { store.tail(&thread("a")).await.map(drop) };
    let is_down = |error: &Result<(), StoreError>| matches!(error, Err(error) if KeyError::of(error).is_some_and(KeyError::is_transient));

    vault.fail_with(KeyError::Throttled { key: "vault".into() });
    for round in 1..=2 {
        let guard = vault.block_calls();
        let mut writes = join_all(names.iter().map(write));
        let mut reads = join_all(names.iter().map(|_| read()));
        assert!(poll!(&mut writes).is_pending() && poll!(&mut reads).is_pending());
        drop(guard);
        assert!(writes.await.iter().all(is_down) && reads.await.iter().all(is_down));
        assert_eq!(
            vault.call_count(),
            1 + 2 * round,
            "expected one call of the writer, one for all writes and one for all reads"
        );
    }

    // If the caller that made the call is dropped, another one makes it again.
    vault.fail_with(None);
    let guard = vault.block_calls();
    let (mut first, mut first_read) = (Box::pin(write(&names[0])), Box::pin(read()));
    let (mut second, mut second_read) = (Box::pin(write(&names[1])), Box::pin(read()));
    assert!(poll!(&mut first).is_pending() && poll!(&mut first_read).is_pending());
    assert!(poll!(&mut second).is_pending() && poll!(&mut second_read).is_pending());
    drop((first, first_read, guard));
    second.await.unwrap();
    second_read.await.unwrap();
    assert_eq!(vault.call_count(), 9);
}

#[tokio::test]
async fn an_invalid_wrapped_key_evicts_no_cached_key() {
    let (inner, vault) = (MemoryStore::new(), Vault::default());
    let bounds = Bounds::default().messages(1).cached_keys(2);
    let store = store(&inner, &vault, bounds);
    write(&store, &thread("a"), &["0", "1", "2"]).await;
    rewrite(&inner, &thread("a"), |all| all[2].body[WRAPPED] = 0xff).await;
    let read = async |place| store.entries(&thread("a"), place, 1).await;
    read(0.into()).await.unwrap();
    read(1.into()).await.unwrap();
    assert!(matches!(read(2.into()).await, Err(StoreError::Decryption { place, .. }) if place == 2));
    assert_eq!(vault.calls().1, 3);
    read(0.into()).await.unwrap();
    read(1.into()).await.unwrap();
    assert_eq!(vault.calls().1, 3, "both data keys are still cached");
}

#[tokio::test]
async fn a_cached_data_key_expires() {
    let (inner, vault) = (MemoryStore::new(), Vault::default());
    let store = store(&inner, &vault, Bounds::default().age(Duration::ZERO));
    write(&store, &thread("a"), &["0"]).await;
    store.tail(&thread("a")).await.unwrap();
    vault.fail_with(KeyError::Disabled { key: "vault".into() });
    let error = store.tail(&thread("a")).await.unwrap_err();
    assert!(matches!(KeyError::of(&error), Some(KeyError::Disabled { .. })), "{error}");
}

#[tokio::test]
async fn nothing_is_written_without_a_data_key() {
    let (inner, vault) = (MemoryStore::new(), Vault::default());
    let store = store(&inner, &vault, Bounds::default());
    let first = || append(&thread("a"), None, vec![record(0, b"a secret")]);
    let key = || "vault".to_owned();
    for error in [
        KeyError::Throttled { key: key() },
        KeyError::Disabled { key: key() },
        KeyError::Denied { key: key(), problem: "…".into() },
    ] {
        vault.fail_with(error.clone());
        let said = store.append(first()).await.unwrap_err();
        assert_eq!(KeyError::of(&said), Some(&error));
        assert_eq!(inner.tail(&thread("a")).await.unwrap(), None);
    }
    vault.fail_with(None);
    store.append(first()).await.unwrap();
}

/// The vault is not called: the context is stored beside the entry.
#[tokio::test]
async fn a_context_mismatch_reports_both_contexts() {
    let (inner, vault) = (MemoryStore::new(), Vault::default());
    write(&EncryptedStore::new(inner.clone(), vault.clone()), &thread("a"), &["a secret"]).await;
    let other = EncryptedStore::new(inner, Keyring::new(vault.clone()).context("stage", "test"));
    let error = other.tail(&thread("a")).await.unwrap_err();
    assert!(matches!(error, StoreError::Decryption { place: Place::START, .. }), "{error}");
    let (found, expected) = (r#"{\"hitl\":\"journal\"}"#, r#"{"hitl":"journal","stage":"test"}"#);
    let mismatch = DecryptError::ContextMismatch { found: found.into(), expected: expected.into() };
    assert_eq!(DecryptError::of(&error), Some(&mismatch));
    assert_eq!(vault.calls().1, 0);
}
