//! Garbage left by crashed processes, and one unreadable thread among readable ones.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use hitl_runtime::{
    Digest, ThreadId,
    store::{Append, Standing, Store as _, conformance},
};

use crate::{
    emulator::{Emulator, store},
    proxy::{Fate, Proxy},
    scene::{after, review, thread},
};

/// Ends a thread, in a process that dies before the thread's first entry has its `expires` time.
async fn end_and_die(emulator: &Emulator, thread: &ThreadId) {
    let proxy = Proxy::at_write(emulator.endpoint(), 3, Fate::KillsTheCaller { done: false }).await;
    let mortal = store(&proxy.endpoint, emulator.table()).keep_ended(Duration::from_secs(1_000));
    let first = after(thread, &[]);
    mortal.append(first.clone()).await.unwrap();
    let end = Append { standing: Standing::Ended, due_ms: None, ..after(thread, &first.records) };
    assert!(proxy.until_death(mortal.append(end)).await.is_none());
}

/// Opens a hundred reviews, in a process that dies before the list has them.
async fn open_and_die(emulator: &Emulator, thread: &ThreadId) {
    let proxy = Proxy::at_write(emulator.endpoint(), 2, Fate::KillsTheCaller { done: false }).await;
    let reviews = (0..100).map(|place| review(thread, place, place)).collect();
    let open = Append { reviews, standing: Standing::Waiting, ..after(thread, &[]) };
    let mortal = store(&proxy.endpoint, emulator.table());
    assert!(proxy.until_death(mortal.append(open)).await.is_none());
}

/// Sets the version of a thread's head to one that only a newer program writes.
async fn spoil(emulator: &Emulator, thread: &ThreadId) {
    let items = emulator.scan().await;
    let key = (AttributeValue::S(format!("thread/{thread}")), AttributeValue::S("head".into()));
    let mut head = items.into_iter().find(|item| (&item["pk"], &item["sk"]) == (&key.0, &key.1)).unwrap();
    head.insert("v".into(), AttributeValue::N("2".into()));
    emulator.put(head).await;
}

/// Moves all cleanup intents (`chore` items) two hours into the past.
async fn make_chores_old(emulator: &Emulator) {
    for mut chore in emulator.scan().await.into_iter().filter(|item| item.contains_key("chore")) {
        emulator.delete(&chore).await;
        let (time, id) = chore["sk"].as_s().unwrap().split_once('/').unwrap();
        let time = u64::from_str_radix(time, 16).unwrap() - 2 * 60 * 60 * 1_000;
        chore.insert("sk".into(), AttributeValue::S(format!("{time:016x}/{id}")));
        emulator.put(chore).await;
    }
}

#[tokio::test]
async fn whoever_sweeps_clears_away_what_is_old() {
    let emulator = Emulator::start().await;
    end_and_die(&emulator, &thread("ended")).await;
    emulator.forget().await;
    // A recent intent is left alone: the process that wrote it may still be running.
    emulator.store().due(0, None, 10).await.unwrap();
    assert_eq!(emulator.items().await.len(), 2, "an entry, and the chore");
    make_chores_old(&emulator).await;
    let sweeper = emulator.store();
    sweeper.reviews(None, 10).await.unwrap();
    assert_eq!(emulator.items().await.len(), 2, "who only looks is not kept waiting");
    sweeper.due(0, None, 10).await.unwrap();
    assert_eq!(emulator.items().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_deletion_reaches_what_was_forgotten_by_halves() {
    let emulator = Emulator::start().await;
    let (ended, other) = (thread("ended"), in_the_shard_of("ended"));
    end_and_die(&emulator, &ended).await;
    emulator.store().append(after(&other, &[])).await.unwrap();
    emulator.forget().await;
    emulator.store().delete(&ended).await.unwrap();
    assert!(emulator.items().await.iter().all(|key| key.contains(other.as_str())));
    emulator.store().delete(&other).await.unwrap();
    assert_eq!(emulator.items().await, Vec::<String>::new());
}

/// Returns the name of another thread in the same shard.
fn in_the_shard_of(name: &str) -> ThreadId {
    let shard = |name: &str| Digest::of(name.as_bytes()).as_bytes()[0] % 8;
    let names = (0..).map(|number| format!("other {number}"));
    thread(&names.into_iter().find(|other| shard(other) == shard(name)).unwrap())
}

#[tokio::test]
async fn a_chore_that_cannot_be_done_keeps_no_other_from_being_done() {
    let emulator = Emulator::start().await;
    let (bad, good) = (thread("bad"), in_the_shard_of("bad"));
    for thread in [&bad, &good] {
        end_and_die(&emulator, thread).await;
    }
    spoil(&emulator, &bad).await;
    let failed = emulator.store().tidy(Duration::ZERO).await.unwrap_err();
    assert!(failed.to_string().contains("`bad`"), "{failed}");
    let unstamped = emulator.expiries().await.into_iter().filter(|(_, expires)| expires.is_none());
    let unstamped: Vec<_> = unstamped.map(|(key, _)| key).collect();
    assert_eq!(unstamped.len(), 2, "the chore and the first entry of the bad one: {unstamped:?}");
    assert!(unstamped.iter().any(|key| key.starts_with("thread/bad")), "{unstamped:?}");
}

#[tokio::test]
async fn one_thread_that_cannot_be_read_hides_no_other_from_the_lists() {
    let emulator = Emulator::start().await;
    let (bad, good) = (thread("bad"), thread("good"));
    open_and_die(&emulator, &bad).await;
    spoil(&emulator, &bad).await;
    let open = vec![review(&good, 0, 50)];
    let append = Append { reviews: open.clone(), ..after(&good, &[]) };
    let store = emulator.store();
    store.append(append).await.unwrap();

    // The list lacks the reviews of `bad`. So that no reader takes it for complete, its last page has a token, and the
    // page at that token is an error.
    let page = store.reviews(None, 100).await.unwrap();
    assert_eq!(page.items, open);
    let end = store.reviews(Some(&page.next.unwrap()), 100).await.unwrap_err();
    assert!(end.to_string().contains("`bad`"), "{end}");
    // The other two lists are complete.
    assert_eq!(store.due(u64::MAX, None, 10).await.unwrap().items, [bad.clone(), good.clone()]);
    let threads = store.threads(None, None, 10).await.unwrap().items;
    assert_eq!(threads, [(bad.clone(), Standing::Waiting), (good.clone(), Standing::Running)]);

    // The lag marker (`late` item) of a thread is deleted once the thread no longer exists.
    for item in emulator.scan().await.iter().filter(|item| item["pk"].as_s().unwrap() == "thread/bad") {
        emulator.delete(item).await;
    }
    assert_eq!(store.reviews(None, 100).await.unwrap().next, None);
    assert!(!emulator.items().await.contains(&"late bad".to_owned()));
    assert_eq!(conformance::whole(&store, &good).await.len(), 1);
}
