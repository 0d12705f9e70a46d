//! Garbage left by crashed processes, and one unreadable thread among readable ones.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use hitl_runtime::{
    Digest, ThreadId, Timestamp,
    store::{Store as _, ThreadStatus},
};
use hitl_testkit::conformance;

use crate::{
    emulator::{Emulator, store},
    fixture::{after, noise, record, review, thread},
    proxy::{CallOutcome, Proxy},
};

/// Ends a thread, in a process that dies before the thread's first entry has its `expires` time.
async fn end_and_crash(emulator: &Emulator, thread: &ThreadId) {
    let proxy = Proxy::at_write(emulator.endpoint(), 3, CallOutcome::CallerCrash { executed: false }).await;
    let crashing = store(&proxy.endpoint, emulator.table()).keep_ended(Duration::from_secs(1_000));
    // Too large for the head, where an entry needs no time of its own.
    let first = after(thread, &[]).with_records(vec![record(0, noise(2_000, 1))]);
    crashing.append(first.clone()).await.unwrap();
    let end = after(thread, &first.records).with_standing(ThreadStatus::Ended).with_due(None);
    assert!(proxy.until_crash(crashing.append(end)).await.is_none());
}

/// Opens a hundred reviews, in a process that dies before the list has them.
async fn open_and_crash(emulator: &Emulator, thread: &ThreadId) {
    let proxy = Proxy::at_write(emulator.endpoint(), 2, CallOutcome::CallerCrash { executed: false }).await;
    let reviews = (0..100).map(|place| review(thread, place, place)).collect();
    let open = after(thread, &[]).with_reviews(reviews).with_standing(ThreadStatus::Waiting);
    let crashing = store(&proxy.endpoint, emulator.table());
    assert!(proxy.until_crash(crashing.append(open)).await.is_none());
}

/// Sets the version of a thread's head to one that only a newer program writes.
async fn set_newer_version(emulator: &Emulator, thread: &ThreadId) {
    let items = emulator.scan().await;
    let key = (AttributeValue::S(format!("thread/{thread}")), AttributeValue::S("head".into()));
    let mut head = items.into_iter().find(|item| (&item["pk"], &item["sk"]) == (&key.0, &key.1)).unwrap();
    head.insert("v".into(), AttributeValue::N("3".into()));
    emulator.put(head).await;
}

/// Moves all cleanup intents (`chore` items) two hours into the past.
async fn age_cleanup_intents(emulator: &Emulator) {
    for mut intent in emulator.scan().await.into_iter().filter(|item| item.contains_key("chore")) {
        emulator.delete(&intent).await;
        let (time, id) = intent["sk"].as_s().unwrap().split_once('/').unwrap();
        let time = u64::from_str_radix(time, 16).unwrap() - 2 * 60 * 60 * 1_000;
        intent.insert("sk".into(), AttributeValue::S(format!("{time:016x}/{id}")));
        emulator.put(intent).await;
    }
}

#[tokio::test]
async fn a_sweep_deletes_old_garbage() {
    let emulator = Emulator::start().await;
    end_and_crash(&emulator, &thread("ended")).await;
    emulator.delete_expired().await;
    // A recent intent is left alone: the process that wrote it may still be running.
    emulator.store().due(Timestamp::UNIX_EPOCH, None, 10).await.unwrap();
    assert_eq!(emulator.items().await.len(), 2, "an entry and the cleanup intent");
    age_cleanup_intents(&emulator).await;
    let sweeper = emulator.store();
    sweeper.reviews(None, 10).await.unwrap();
    assert_eq!(emulator.items().await.len(), 2, "listing reviews executes no cleanup intents");
    sweeper.due(Timestamp::UNIX_EPOCH, None, 10).await.unwrap();
    assert_eq!(emulator.items().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_delete_removes_a_partially_expired_thread() {
    let emulator = Emulator::start().await;
    let (ended, other) = (thread("ended"), name_in_shard_of("ended"));
    end_and_crash(&emulator, &ended).await;
    emulator.store().append(after(&other, &[])).await.unwrap();
    emulator.delete_expired().await;
    emulator.store().delete(&ended).await.unwrap();
    assert!(emulator.items().await.iter().all(|key| key.contains(other.as_str())));
    emulator.store().delete(&other).await.unwrap();
    assert_eq!(emulator.items().await, Vec::<String>::new());
}

/// Returns the name of another thread in the same shard.
fn name_in_shard_of(name: &str) -> ThreadId {
    let shard = |name: &str| Digest::of(name.as_bytes()).as_bytes()[0] % 8;
    let names = (0..).map(|number| format!("other {number}"));
    thread(&names.into_iter().find(|other| shard(other) == shard(name)).unwrap())
}

#[tokio::test]
async fn a_failing_cleanup_intent_does_not_block_the_others() {
    let emulator = Emulator::start().await;
    let (bad, good) = (thread("bad"), name_in_shard_of("bad"));
    for thread in [&bad, &good] {
        end_and_crash(&emulator, thread).await;
    }
    set_newer_version(&emulator, &bad).await;
    let failed = emulator.store().clean_up(Duration::ZERO).await.unwrap_err();
    assert!(failed.to_string().contains("`bad`"), "{failed}");
    let unstamped = emulator.expiries().await.into_iter().filter(|(_, expires)| expires.is_none());
    let unstamped: Vec<_> = unstamped.map(|(key, _)| key).collect();
    assert_eq!(unstamped.len(), 2, "the cleanup intent and the first entry of `bad`: {unstamped:?}");
    assert!(unstamped.iter().any(|key| key.starts_with("thread/bad")), "{unstamped:?}");
}

#[tokio::test]
async fn an_unreadable_thread_hides_no_other_from_the_lists() {
    let emulator = Emulator::start().await;
    let (bad, good) = (thread("bad"), thread("good"));
    open_and_crash(&emulator, &bad).await;
    set_newer_version(&emulator, &bad).await;
    let open = vec![review(&good, 0, 50)];
    let append = after(&good, &[]).with_reviews(open.clone());
    let store = emulator.store();
    store.append(append).await.unwrap();

    // The list lacks the reviews of `bad`. So that no reader takes it for complete, its last page has a token, and the
    // page at that token is an error.
    let page = store.reviews(None, 100).await.unwrap();
    assert_eq!(page.items, open);
    let end = store.reviews(Some(&page.next.unwrap()), 100).await.unwrap_err();
    assert!(end.to_string().contains("`bad`"), "{end}");
    // The other two lists are complete.
    assert_eq!(store.due(Timestamp::MAX, None, 10).await.unwrap().items, [bad.clone(), good.clone()]);
    let threads = store.threads(None, None, 10).await.unwrap().items;
    assert_eq!(threads, [(bad.clone(), ThreadStatus::Waiting), (good.clone(), ThreadStatus::Running)]);

    // The lag marker (`late` item) of a thread is deleted once the thread no longer exists.
    for item in emulator.scan().await.iter().filter(|item| item["pk"].as_s().unwrap() == "thread/bad") {
        emulator.delete(item).await;
    }
    assert_eq!(store.reviews(None, 100).await.unwrap().next, None);
    assert!(!emulator.items().await.contains(&"late bad".to_owned()));
    assert_eq!(conformance::read_journal(&store, &good).await.len(), 1);
}
