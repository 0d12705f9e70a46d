//! Threads that were started without keys.

use hitl::{MemoryStore, Verdict};

use super::{
    attacks::{id, read, relink, replace, write},
    pay_agent::{Bank, agent, clerk, keys, waiting},
};

#[tokio::test]
async fn a_thread_without_macs_is_rejected_until_adopted() {
    let store = MemoryStore::new();
    let digest = waiting(&agent(store.clone(), None).0, "t", 90).await;
    let (new, Bank(paid, _)) = agent(store.clone(), Some(keys(1)));
    let error = new.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap_err();
    assert_eq!(error.code(), "unauthenticated_entry", "{error}");
    assert!(error.to_string().contains("adopt"), "{error}");

    new.adopt(&id("t"), &clerk(), None).await.unwrap();
    new.verify(&id("t")).await.unwrap();
    let _ = new.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap();
    assert_eq!(paid.lock().unwrap().len(), 1);
    new.verify(&id("t")).await.unwrap();
}

#[tokio::test]
async fn an_adopted_journal_cannot_be_changed() {
    let store = MemoryStore::new();
    let digest = waiting(&agent(store.clone(), None).0, "t", 3).await;
    let (new, Bank(paid, _)) = agent(store.clone(), Some(keys(1)));
    new.adopt(&id("t"), &clerk(), None).await.unwrap();
    let mut records = read(&store, &id("t")).await;
    let drafted =
        records.iter().position(|record| record.body.windows(4).any(|part| part == b"4200")).unwrap();
    records[drafted].body = replace(&records[drafted].body, "4200", "9999");
    relink(&id("t"), &mut records);
    write(&store, &id("t"), records).await;
    let error = new.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap_err();
    assert_eq!(error.code(), "unauthenticated_entry", "{error}");
    assert!(paid.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_altered_journal_cannot_be_adopted() {
    let store = MemoryStore::new();
    let (old, _) = agent(store.clone(), None);
    waiting(&old, "t", 3).await;
    let head = old.verify(&id("t")).await.unwrap();
    let mut records = read(&store, &id("t")).await;
    let drafted =
        records.iter().position(|record| record.body.windows(4).any(|part| part == b"4200")).unwrap();
    records[drafted].body = replace(&records[drafted].body, "4200", "9999");
    relink(&id("t"), &mut records);
    write(&store, &id("t"), records).await;
    let (new, _) = agent(store.clone(), Some(keys(1)));
    for kept in [None, Some(&head)] {
        assert_eq!(new.adopt(&id("t"), &clerk(), kept).await.unwrap_err().code(), "damaged");
    }
    assert_eq!(old.adopt(&id("t"), &clerk(), None).await.unwrap_err().code(), "not_set_up");
}

/// An adoption is for what was written before there was a key, and for nothing that stands behind a MAC.
#[tokio::test]
async fn an_adoption_covers_no_entries_after_a_mac() {
    let store = MemoryStore::new();
    let (keyed, Bank(paid, _)) = agent(store.clone(), Some(keys(1)));
    let digest = waiting(&keyed, "t", 3).await;
    let mut records = read(&store, &id("t")).await;
    let mut inserted = records[records.len() - 1].clone();
    inserted.place += 1;
    inserted.body = br#"{"at":1763800000000,"is":{"renewed":{}}}"#.to_vec();
    records.push(inserted);
    relink(&id("t"), &mut records);
    write(&store, &id("t"), records).await;
    let error = keyed.adopt(&id("t"), &clerk(), None).await.unwrap_err();
    assert_eq!(error.code(), "unauthenticated_entry", "{error}");
    let error = keyed.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap_err();
    assert_eq!(error.code(), "unauthenticated_entry", "{error}");
    assert!(keyed.verify(&id("t")).await.is_err());
    assert!(paid.lock().unwrap().is_empty());
}
