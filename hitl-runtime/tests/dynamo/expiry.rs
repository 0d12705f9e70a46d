//! Expiry of ended threads. DynamoDB deletes an expired item at some later time; until then the store does not return
//! it.

use std::time::Duration;

use hitl_runtime::store::{Store as _, ThreadStatus};
use hitl_testkit::conformance;

use crate::{
    emulator::Emulator,
    fixture::{StoredThread, after, noise, record, stored_thread, thread},
};

#[tokio::test]
async fn items_of_an_ended_thread_share_one_expiry_time() {
    let emulator = Emulator::start().await;
    let (store, thread) = (emulator.store().keep_ended(Duration::from_secs(1_000)), thread("ended"));
    let mut first = after(&thread, &[]);
    first.records = vec![record(0, noise(500_000, 1))];
    let mut written = first.records.clone();
    store.append(first).await.unwrap();
    let second = after(&thread, &written);
    written.extend(second.records.clone());
    store.append(second).await.unwrap();
    assert!(emulator.expiries().await.iter().all(|(_, expires)| expires.is_none()));

    let end = after(&thread, &written).with_standing(ThreadStatus::Ended).with_due(None);
    written.extend(end.records.clone());
    store.append(end).await.unwrap();
    let items = emulator.expiries().await;
    let (_, time) = items[0];
    assert_eq!(items.len(), 5, "expected a head, a batch, two parts and a row: {items:?}");
    assert!(time.is_some() && items.iter().all(|(_, expires)| *expires == time), "{items:?}");
    assert_eq!(conformance::read_journal(&store, &thread).await, written);

    let on = after(&thread, &written);
    written.extend(on.records.clone());
    store.append(on).await.unwrap();
    let items = emulator.expiries().await;
    assert!(items.iter().all(|(_, expires)| expires.is_none()), "{items:?}");
    assert_eq!(conformance::read_journal(&store, &thread).await, written);
}

#[tokio::test]
async fn an_expired_thread_is_gone_and_its_name_is_free() {
    let emulator = Emulator::start().await;
    let (store, thread) = (emulator.store().keep_ended(Duration::ZERO), thread("over"));
    let first = after(&thread, &[]).with_due(None);
    store.append(first.clone()).await.unwrap();
    let end = after(&thread, &first.records).with_standing(ThreadStatus::Ended).with_due(None);
    store.append(end.clone()).await.unwrap();
    assert!(!emulator.items().await.is_empty(), "the service has not deleted the items yet");
    let gone = StoredThread { records: vec![], reviews: vec![], standing: None, due: false };
    assert_eq!(stored_thread(&emulator.store(), &thread).await, gone);
    let late = after(&thread, &[first.records, end.records].concat());
    assert!(store.append(late).await.is_err());

    let again = after(&thread, &[]);
    store.append(again.clone()).await.unwrap();
    assert_eq!(conformance::read_journal(&emulator.store(), &thread).await, again.records);
    assert_eq!(stored_thread(&emulator.store(), &thread).await.standing, Some(ThreadStatus::Running));
}
