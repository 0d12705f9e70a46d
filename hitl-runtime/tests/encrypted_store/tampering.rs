//! An attacker with access to the store and not to the vault.

use hitl_runtime::{
    Place, StoreError,
    store::{
        MemoryStore, Record, Store,
        encrypted::{DecryptError, EncryptedStore, KeyError},
    },
};

use crate::{
    journal::{append, record, rewrite, thread, write},
    vault::{Vault, WRAPPED},
};

async fn encrypted_store(bodies: &[&str]) -> (MemoryStore, EncryptedStore<MemoryStore>) {
    let inner = MemoryStore::new();
    let store = EncryptedStore::new(inner.clone(), Vault::default());
    write(&store, &thread("a"), bodies).await;
    (inner, store)
}

/// Returns the place and the cause of a failed read, and asserts that every way to read fails alike.
async fn refused(store: &EncryptedStore<MemoryStore>) -> (u64, DecryptError) {
    let a = thread("a");
    let (tail, entries) =
        (store.tail(&a).await.unwrap_err(), store.entries(&a, 0.into(), 100).await.unwrap_err());
    assert_eq!(tail.to_string(), entries.to_string());
    assert!(!format!("{tail} {tail:?}").contains("secret"), "{tail:?}");
    match (&tail, DecryptError::of(&tail)) {
        (StoreError::Decryption { thread, place, .. }, Some(problem)) if *thread == a => {
            ((*place).get(), problem.clone())
        }
        _ => panic!("{tail:?}"),
    }
}

#[tokio::test]
async fn the_store_contains_no_plaintext() {
    let long = "secret ".repeat(1_000);
    let (inner, store) = encrypted_store(&["a secret", &long]).await;
    let held = inner.entries(&thread("a"), 0.into(), 10).await.unwrap();
    assert!(held.iter().all(|record| !record.body.windows(6).any(|word| word == b"secret")));
    let read = store.entries(&thread("a"), 0.into(), 10).await.unwrap();
    assert_eq!(read, [record(0, b"a secret"), record(1, long.as_bytes())]);
}

#[tokio::test]
async fn changed_and_moved_entries_are_reported_with_their_place() {
    type Change = fn(&mut Vec<Record>);
    let changes: [(&str, u64, Change); 7] = [
        ("a flipped bit", 1, |all| *all[1].body.last_mut().unwrap() ^= 1),
        ("a bit of the header", 1, |all| all[1].body[8] ^= 1),
        ("an entry at another place", 0, |all| {
            all.swap(0, 1);
            (0..).zip(all).for_each(|(place, record)| record.place = Place::new(place));
        }),
        ("an entry twice", 1, |all| {
            all[1] = all[0].clone();
            all[1].place = Place::new(1);
        }),
        ("another hash", 1, |all| all[1].hash = hitl_runtime::Digest::of(b"another")),
        ("a snapshot that is none", 2, |all| all[2].snapshot = true),
        ("half an entry", 2, |all| {
            let half = all[2].body.len() / 2;
            all[2].body.truncate(half);
        }),
    ];
    for (what, place, change) in changes {
        let (inner, store) = encrypted_store(&["secret one", "secret two", "secret three"]).await;
        rewrite(&inner, &thread("a"), change).await;
        let (at, problem) = refused(&store).await;
        assert_eq!(at, place, "{what}");
        // A changed name of the vault's key is detected only by the vault.
        let seen = matches!(problem, DecryptError::Tampered | DecryptError::Key(KeyError::Untrusted { .. }));
        assert!(seen, "{what}: {problem:?}");
    }
}

#[tokio::test]
async fn an_entry_of_another_thread_is_rejected() {
    let (inner, store) = encrypted_store(&["secret one", "secret two"]).await;
    write(&store, &thread("b"), &["secret one", "secret two"]).await;
    let of_b = inner.entries(&thread("b"), 0.into(), 2).await.unwrap();
    rewrite(&inner, &thread("a"), |all| *all = of_b).await;
    assert_eq!(refused(&store).await, (0, DecryptError::Tampered));
}

#[tokio::test]
async fn a_forged_data_key_is_rejected() {
    let (inner, store) = encrypted_store(&["a secret"]).await;
    rewrite(&inner, &thread("a"), |all| all[0].body[WRAPPED] = 0xff).await;
    assert_eq!(refused(&store).await, (0, DecryptError::Key(KeyError::InvalidWrappedKey)));
}

#[tokio::test]
async fn only_the_existing_plaintext_entries_are_accepted() {
    let inner = MemoryStore::new();
    write(&inner, &thread("a"), &["a secret"]).await;
    let store = EncryptedStore::new(inner.clone(), Vault::default());
    let (place, problem) = refused(&store).await;
    assert_eq!((place, &problem), (0, &DecryptError::Plaintext));
    assert!(problem.to_string().contains("`EncryptedStore::allow_plaintext`"));

    // A migration: old entries are read as they are, new ones are encrypted.
    let moving = store.clone().allow_plaintext();
    let (old, new) = (record(0, b"a secret"), record(1, b"a new secret"));
    moving.append(append(&thread("a"), Some(&old), vec![new.clone()])).await.unwrap();
    assert_eq!(moving.entries(&thread("a"), 0.into(), 10).await.unwrap(), [old, new.clone()]);
    assert_eq!(store.entries(&thread("a"), 1.into(), 10).await.unwrap(), [new]);
    assert_ne!(inner.entries(&thread("a"), 1.into(), 10).await.unwrap()[0].body, b"a new secret");
}

#[tokio::test]
async fn an_entry_of_a_newer_version_is_an_error() {
    let (inner, store) = encrypted_store(&["a secret"]).await;
    rewrite(&inner, &thread("a"), |all| all[0].body[5] = 2).await;
    let error = store.tail(&thread("a")).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 2, known: 1, .. }), "{error}");
}
