//! Altered journals without MACs but with valid hashes: their entries are still checked against the signature and the
//! program's rules.

use hitl::{MemoryStore, Operator, Verdict, store::Record};

use super::{
    attacks::{id, read, relink, replace, write},
    pay_agent::{Bank, agent, clerk, waiting},
};

/// Changes the only entry that contains a text, and recomputes all hashes.
async fn forge(store: &MemoryStore, from: &str, to: &str) {
    let mut records = read(store, &id("t")).await;
    let holds = |record: &&mut Record| String::from_utf8_lossy(&record.body).contains(from);
    let record = records.iter_mut().find(holds).unwrap();
    record.body = replace(&record.body, from, to);
    relink(&id("t"), &mut records);
    write(store, &id("t"), records).await;
}

#[tokio::test]
async fn a_draft_altered_after_its_signature_is_not_paid() {
    let store = MemoryStore::new();
    let (honest, Bank(_, closed)) = agent(store.clone(), None);
    let digest = waiting(&honest, "t", 3).await;
    *closed.lock().unwrap() = true;
    let _ = honest.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap();
    assert_eq!(honest.view("t").await.unwrap().standing.as_str(), "failed");

    forge(&store, "4200", "9999").await;
    let (resumed, Bank(paid, _)) = agent(store, None);
    let _ = resumed.resume("t").await.unwrap();
    let failure = resumed.view("t").await.unwrap().failure.unwrap();
    assert!(failure.error.contains("is not what was signed"), "{}", failure.error);
    assert!(paid.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_role_altered_in_the_journal_is_still_required() {
    let store = MemoryStore::new();
    let digest = waiting(&agent(store.clone(), None).0, "t", 3).await;
    forge(&store, r#""role":"clerk""#, r#""role":"guest""#).await;
    let (careless, Bank(paid, _)) = agent(store, None);
    let guest = Operator::new("eve").role("guest");
    // The review is reopened with the role that the program asks for.
    let error = careless.decide("t", digest, &guest, Verdict::Approve).await.unwrap_err();
    let hitl::Error::Stale { open, .. } = &error else { panic!("{error}") };
    let error = careless.decide("t", open[0], &guest, Verdict::Approve).await.unwrap_err();
    assert_eq!(error.code(), "role_missing", "{error}");
    assert!(paid.lock().unwrap().is_empty());
}
