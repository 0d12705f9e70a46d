//! A whole agent over an encrypted store (`Sealed`).

use hitl::{Error, StoreError, store::Sealed};
use hitl_runtime::store::{MemoryStore, Store as _};

use crate::{journal::rewrite, vault::Vault};

include!("../../doc/refunds.rs");

#[tokio::test]
async fn it_waits_is_verified_and_goes_on_and_the_file_holds_none_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tickets.db");
    let vault = Vault::default();
    let open = async || RefundAgent::new(Sealed::new(SqliteStore::open(&path).await.unwrap(), vault.clone()));
    let _ = waiting(&open().await, "A-9133").await.unwrap();

    let agent = open().await;
    let thread = hitl::ThreadId::new("ticket-A-9133").unwrap();
    let head = agent.verify(&thread).await.unwrap();
    let RefundAgentTurn::Pay(review) = agent.thread("ticket-A-9133").await.unwrap() else { panic!() };
    let turn = review.approve(&mara()).await.unwrap();
    assert!(matches!(&turn, RefundAgentTurn::Done(paid) if paid.contains("149 dollars")), "{turn}");
    assert!(agent.verify(&thread).await.unwrap().place > head.place);
    drop(agent);

    let file = std::fs::read(&path).unwrap();
    let holds = |word: &str| file.windows(word.len()).any(|part| part == word.as_bytes());
    assert!(!holds("arrived broken") && !holds("dollars") && !holds("mara"));
    assert!(holds("ticket-A-9133") && holds("vault"), "and what the docs say is in the clear is");
}

#[tokio::test]
async fn what_was_tampered_with_is_no_entry() {
    let inner = MemoryStore::new();
    let agent = RefundAgent::new(Sealed::new(inner.clone(), Vault::default()));
    let digest = waiting(&agent, "A-9133").await.unwrap().digest();
    let thread = hitl::ThreadId::new("ticket-A-9133").unwrap();
    rewrite(&inner, &thread, |all| *all[0].body.last_mut().unwrap() ^= 1).await;
    let before = inner.entries(&thread, 0, 100).await.unwrap();

    let tampered = |error: Error| {
        assert!(matches!(error, Error::Store(StoreError::Sealed { place: 0, .. })), "{error}");
    };
    tampered(agent.thread("ticket-A-9133").await.err().unwrap());
    tampered(agent.verify(&thread).await.err().unwrap());
    let decided = agent.decide("ticket-A-9133", digest, &mara(), hitl::Verdict::Approve).await;
    tampered(decided.err().unwrap());
    assert_eq!(inner.entries(&thread, 0, 100).await.unwrap(), before);
}
