//! A whole agent over an encrypted store (`EncryptedStore`).

use hitl::{Error, Place, StoreError, store::encrypted::EncryptedStore};
use hitl_runtime::store::{MemoryStore, Store as _};

use crate::{journal::rewrite, vault::Vault};

include!("../../doc/refunds.rs");

#[tokio::test]
async fn a_thread_runs_verifies_and_stores_no_plaintext() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tickets.db");
    let vault = Vault::default();
    let open = async || {
        RefundAgent::new(EncryptedStore::new(SqliteStore::open(&path).await.unwrap(), vault.clone()))
    };
    let _ = waiting(&open().await, "A-9133").await.unwrap();

    let agent = open().await;
    let thread = hitl::ThreadId::new("ticket-A-9133").unwrap();
    let head = agent.verify(&thread).await.unwrap();
    let RefundAgentTurn::Pay(review) = agent.turn("ticket-A-9133").await.unwrap() else { panic!() };
    let turn = review.approve(&mara()).await.unwrap();
    assert!(matches!(&turn, RefundAgentTurn::Done(paid) if paid.contains("149 dollars")), "{turn}");
    assert!(agent.verify(&thread).await.unwrap().place > head.place);
    drop(agent);

    let file = std::fs::read(&path).unwrap();
    let holds = |word: &str| file.windows(word.len()).any(|part| part == word.as_bytes());
    assert!(!holds("arrived broken") && !holds("dollars") && !holds("mara"));
    assert!(holds("ticket-A-9133") && holds("vault"), "the file contains the documented plaintext");
}

#[tokio::test]
async fn a_tampered_entry_is_rejected() {
    let inner = MemoryStore::new();
    let agent = RefundAgent::new(EncryptedStore::new(inner.clone(), Vault::default()));
    let digest = waiting(&agent, "A-9133").await.unwrap().digest();
    let thread = hitl::ThreadId::new("ticket-A-9133").unwrap();
    rewrite(&inner, &thread, |all| *all[0].body.last_mut().unwrap() ^= 1).await;
    let before = inner.entries(&thread, 0.into(), 100).await.unwrap();

    let tampered = |error: Error| {
        assert!(matches!(error, Error::Store(StoreError::Decryption { place: Place::START, .. })), "{error}");
    };
    tampered(agent.turn("ticket-A-9133").await.err().unwrap());
    tampered(agent.verify(&thread).await.err().unwrap());
    let decided = agent.decide("ticket-A-9133", digest, &mara(), hitl::Verdict::Approve).await;
    tampered(decided.err().unwrap());
    assert_eq!(inner.entries(&thread, 0.into(), 100).await.unwrap(), before);
}
