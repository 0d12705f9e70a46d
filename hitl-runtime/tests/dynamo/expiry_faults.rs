//! A thread that ends, continues and ends again, in a store that expires ended threads. Whichever write fails, no item
//! of a live thread expires, and no item of an expired thread is kept.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use hitl_runtime::{
    ThreadId,
    store::{Append, Record, Store as _, StoreError, ThreadStatus, dynamo::DynamoStore},
};

use crate::{
    emulator::{self, Emulator},
    fixture::{after, noise, record, thread},
    proxy::{CallOutcome, Proxy},
};

fn store(endpoint: &str, table: &str) -> DynamoStore {
    emulator::store(endpoint, table).keep_ended(Duration::from_secs(1_000))
}

/// Returns the appends of one thread: a body that is too large for one item, one more entry, the end, an entry that
/// continues the thread, and its second end.
fn life(thread: &ThreadId) -> Vec<Append> {
    let mut records: Vec<Record> = Vec::new();
    let mut appends = Vec::new();
    for standing in [
        ThreadStatus::Running,
        ThreadStatus::Running,
        ThreadStatus::Ended,
        ThreadStatus::Running,
        ThreadStatus::Ended,
    ] {
        let mut append = after(thread, &records);
        if records.is_empty() {
            append.records = vec![record(0, noise(400_000, 9))];
        }
        append.due = append.due.filter(|_| standing != ThreadStatus::Ended);
        append.standing = standing;
        records.extend(append.records.clone());
        appends.push(append);
    }
    appends
}

async fn run(store: &DynamoStore, thread: &ThreadId, done: &AtomicUsize) -> Result<(), StoreError> {
    for append in life(thread) {
        store.append(append).await?;
        done.fetch_add(1, SeqCst);
    }
    Ok(())
}

/// Returns the number of writes that `run` makes without a fault.
async fn writes(emulator: &Emulator) -> usize {
    let (proxy, thread) =
        (Proxy::start(emulator.endpoint(), |_| CallOutcome::Success).await, thread("no fault"));
    let store = store(&proxy.endpoint, emulator.table());
    run(&store, &thread, &AtomicUsize::new(0)).await.unwrap();
    let writes = proxy.writes().len();
    assert!(writes > 15, "{writes} writes are too few to cover the life of a thread");
    store.delete(&thread).await.unwrap();
    writes
}

/// Asserts that every item of the thread has the `expires` time of its head, or none if its head has none.
async fn assert_one_time(emulator: &Emulator, thread: &ThreadId) {
    let items = emulator.expiries().await;
    let head = format!("thread/{thread} head");
    let (_, time) = *items.iter().find(|(key, _)| *key == head).unwrap();
    let is_entry = |key: &str| key.starts_with("thread/") || key.starts_with("part/");
    assert!(items.iter().all(|(key, of)| !is_entry(key) || *of == time), "{thread}: {items:?}");
}

#[tokio::test]
async fn a_broken_connection_leaves_one_expiry_time_on_all_items() {
    let emulator = Emulator::start().await;
    for number in 1..=writes(&emulator).await {
        for outcome in [CallOutcome::RequestLost, CallOutcome::ResponseLost] {
            let thread = thread(&format!("write {number} {outcome:?}"));
            let proxy = Proxy::at_write(emulator.endpoint(), number, outcome).await;
            let faulty = store(&proxy.endpoint, emulator.table());
            for append in life(&thread) {
                faulty.append(append).await.unwrap_or_else(|error| panic!("{thread}: {error}"));
                assert_one_time(&emulator, &thread).await;
            }
            assert!(proxy.calls().iter().any(|call| call.outcome == outcome), "write {number} did not occur");
            emulator.delete_expired().await;
            assert_eq!(emulator.items().await, Vec::<String>::new(), "{thread}");
        }
    }
}

#[tokio::test]
async fn a_crash_expires_no_live_item_and_keeps_no_expired_one() {
    let emulator = Emulator::start().await;
    for number in 1..=writes(&emulator).await {
        for executed in [false, true] {
            let thread = thread(&format!("death {number} {executed}"));
            let proxy =
                Proxy::at_write(emulator.endpoint(), number, CallOutcome::CallerCrash { executed }).await;
            let (crashing, acknowledged) = (store(&proxy.endpoint, emulator.table()), AtomicUsize::new(0));
            let died = proxy.until_crash(run(&crashing, &thread, &acknowledged)).await;
            assert!(died.is_none(), "{thread} did not crash");
            drop((crashing, proxy));

            let successor = store(emulator.endpoint(), emulator.table());
            let all: Vec<_> = life(&thread).into_iter().flat_map(|append| append.records).collect();
            // The state after one write is the state before the next: each one is tested with and without a cleanup.
            if executed {
                successor.clean_up(Duration::ZERO).await.unwrap();
                if !emulator.items().await.is_empty() {
                    assert_one_time(&emulator, &thread).await;
                }
            }
            emulator.delete_expired().await;
            match successor.tail(&thread).await.unwrap_or_else(|error| panic!("{thread}: {error}")) {
                Some(tail) => {
                    assert_eq!(tail.records, all[..tail.records.len()], "{thread}");
                    assert!(tail.records.len() >= acknowledged.load(SeqCst), "{thread}");
                    successor.delete(&thread).await.unwrap();
                    successor.clean_up(Duration::ZERO).await.unwrap();
                }
                // The thread no longer exists. Half of the runs delete it, the others only clean up.
                None if number % 2 == 0 => successor.delete(&thread).await.unwrap(),
                None => {}
            }
            successor.clean_up(Duration::ZERO).await.unwrap();
            assert_eq!(emulator.items().await, Vec::<String>::new(), "{thread}");
        }
    }
}
