//! moto's KMS, which detects a changed data key and another context.

use aws_sdk_kms::Client;
use hitl_runtime::{
    Place, StoreError,
    store::{
        MemoryStore, SqliteStore, Store,
        encrypted::{Bounds, DecryptError, EncryptedStore, KeyError, Keyring, KmsKeys},
    },
};

use crate::{
    emulator,
    journal::{append, record, rewrite, thread, write},
    kms::key,
    kms_client::client,
};

#[tokio::test(flavor = "multi_thread")]
async fn moto_wraps_and_unwraps_data_keys() {
    let Some(moto) = emulator::start("moto", &[]).await else { return };
    let client = client(&moto.url);
    reads_after_reopening(&client).await;
    detects_a_changed_data_key(&client).await;
    detects_another_context(&client).await;
    reads_entries_under_a_replaced_key(&client).await;
    names_a_missing_key(&client).await;
}

async fn reads_after_reopening(client: &Client) {
    let dir = tempfile::tempdir().unwrap();
    let key = key(client).await;
    let open = async || {
        let inner = SqliteStore::open(dir.path().join("threads.db")).await.unwrap();
        EncryptedStore::new(inner, KmsKeys::with_client(client.clone(), &key))
    };
    write(&open().await, &thread("a"), &["one", "two"]).await;
    assert_eq!(open().await.entries(&thread("a"), 0.into(), 10).await.unwrap()[1], record(1, b"two"));

    let inner = SqliteStore::open(dir.path().join("threads.db")).await.unwrap();
    let held = &inner.entries(&thread("a"), 0.into(), 1).await.unwrap()[0].body;
    assert!(held.windows(key.len()).any(|part| part == key.as_bytes()), "the header names the key");
}

async fn detects_a_changed_data_key(client: &Client) {
    let (inner, key) = (MemoryStore::new(), key(client).await);
    let store = EncryptedStore::new(inner.clone(), KmsKeys::with_client(client.clone(), &key));
    write(&store, &thread("a"), &["a secret"]).await;
    // The wrapped key ends before the context, which has 2 + 18 bytes, and the nonce.
    let end = 32 + 2 + r#"{"hitl":"journal"}"#.len() + 1 + "a secret".len() + 16;
    rewrite(&inner, &thread("a"), |all| {
        let at = all[0].body.len() - end - 1;
        all[0].body[at] ^= 1;
    })
    .await;
    assert_eq!(problem(&store).await, DecryptError::Key(KeyError::InvalidWrappedKey));
}

async fn detects_another_context(client: &Client) {
    let (inner, key) = (MemoryStore::new(), key(client).await);
    let keys = || KmsKeys::with_client(client.clone(), &key);
    write(
        &EncryptedStore::new(inner.clone(), Keyring::new(keys()).context("stage", "test")),
        &thread("a"),
        &["x"],
    )
    .await;
    let other = EncryptedStore::new(inner.clone(), Keyring::new(keys()).context("stage", "live"));
    assert!(matches!(problem(&other).await, DecryptError::ContextMismatch { .. }));
    // A header with the other context does not pass KMS either.
    rewrite(&inner, &thread("a"), |all| {
        let at = all[0].body.windows(4).position(|word| word == b"test").unwrap();
        all[0].body[at..at + 4].copy_from_slice(b"live");
    })
    .await;
    assert_eq!(problem(&other).await, DecryptError::Key(KeyError::InvalidWrappedKey));
}

async fn reads_entries_under_a_replaced_key(client: &Client) {
    let inner = MemoryStore::new();
    let (old, new) = (key(client).await, key(client).await);
    let alias = "alias/hitl";
    client.create_alias().alias_name(alias).target_key_id(&old).send().await.unwrap();
    let open = |keys: KmsKeys| EncryptedStore::new(inner.clone(), keys);
    let by_alias = || KmsKeys::with_client(client.clone(), alias);
    write(&open(by_alias()), &thread("a"), &["one"]).await;

    client.update_alias().alias_name(alias).target_key_id(&new).send().await.unwrap();
    let both = open(by_alias().decryption_key(&old));
    both.append(append(&thread("a"), Some(&record(0, b"one")), vec![record(1, b"two")])).await.unwrap();
    assert_eq!(
        both.entries(&thread("a"), 0.into(), 10).await.unwrap(),
        [record(0, b"one"), record(1, b"two")]
    );
    // The new key alone reads the new entries. (For the old key, KMS returns `IncorrectKey`, and moto an access error.)
    let alone = open(by_alias());
    assert_eq!(alone.entries(&thread("a"), 1.into(), 1).await.unwrap(), [record(1, b"two")]);
    assert!(alone.entries(&thread("a"), 0.into(), 1).await.is_err());

    // After a rotation by KMS, the key's id is the same, and both versions of its material decrypt.
    client.enable_key_rotation().key_id(&new).send().await.unwrap();
    let fresh = Keyring::new(by_alias()).bounds(Bounds::default().messages(1));
    let fresh = EncryptedStore::new(inner.clone(), fresh);
    fresh.append(append(&thread("a"), Some(&record(1, b"two")), vec![record(2, b"three")])).await.unwrap();
    assert_eq!(
        fresh.entries(&thread("a"), 1.into(), 9).await.unwrap(),
        [record(1, b"two"), record(2, b"three")]
    );
}

async fn names_a_missing_key(client: &Client) {
    let missing = "00000000-0000-0000-0000-000000000000";
    let error = crate::kms::writing(KmsKeys::with_client(client.clone(), missing)).await.unwrap_err();
    assert!(matches!(KeyError::of(&error), Some(KeyError::NotFound { key }) if key == missing), "{error}");
}

async fn problem(store: &impl Store) -> DecryptError {
    let error = store.tail(&thread("a")).await.unwrap_err();
    assert!(matches!(error, StoreError::Decryption { place: Place::START, .. }), "{error}");
    DecryptError::of(&error).unwrap_or_else(|| panic!("{error:?}")).clone()
}
