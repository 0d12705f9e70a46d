//! Connections that break before or after each write, and callers that die there. The tests find every write by
//! themselves. In each case an append has happened completely or not at all, the lists agree with the journal, and the
//! thread can continue.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use hitl_runtime::{
    ThreadId, Timestamp,
    store::{Append, Record, Store as _, StoreError, ThreadStatus, dynamo::DynamoStore},
};
use hitl_testkit::conformance;

use tokio::sync::Notify;

use crate::{
    emulator::{Emulator, store},
    fixture::{StoredThread, after, noise, record, review, stored_thread, thread},
    proxy::{CallOutcome, Proxy},
};

/// A body that is too large for one item.
static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| noise(400_000, 7));

/// Returns the appends of one thread, in order: it starts, appends an entry that changes no list, opens one review, replaces it with 100 reviews, appends a
/// body that is too large for one item, closes all reviews at once, ends, and opens the 100 reviews again. `run` then
/// deletes it.
fn life(thread: &ThreadId) -> Vec<Append> {
    let mut records: Vec<Record> = Vec::new();
    let mut appends = Vec::new();
    let mut then = |change: &dyn Fn(&mut Append)| {
        let mut append = after(thread, &records);
        change(&mut append);
        records.extend(append.records.clone());
        appends.push(append);
    };
    then(&|_| {});
    then(&|append| append.due = Some(Timestamp::from_millis(1_000)));
    then(&|append| append.reviews = vec![review(thread, 1, 50)]);
    // Each review has another opening time and so its own row: more rows than one transaction can write.
    let open: Vec<_> = (0..100).map(|place| review(thread, place, 100 + place)).collect();
    then(&|append| {
        append.reviews = open.clone();
        append.standing = ThreadStatus::Waiting;
    });
    then(&|append| {
        append.records[0] = record(append.records[0].place, LARGE.clone());
        append.reviews = open[..99].to_vec();
    });
    then(&|append| append.standing = ThreadStatus::InDoubt);
    then(&|append| {
        append.standing = ThreadStatus::Ended;
        append.due = None;
    });
    then(&|append| append.reviews = open.clone());
    appends
}

async fn run(store: &DynamoStore, thread: &ThreadId) -> Result<(), StoreError> {
    for append in life(thread) {
        store.append(append).await?;
    }
    store.delete(thread).await
}

/// Returns the expected view of the thread after these appends.
fn expected(appends: &[Append]) -> StoredThread {
    let last = appends.last();
    let mut reviews = last.map(|append| append.reviews.clone()).unwrap_or_default();
    reviews.sort_by_key(|review| review.opened);
    StoredThread {
        records: appends.iter().flat_map(|append| append.records.clone()).collect(),
        reviews,
        standing: last.map(|append| append.standing),
        due: last.is_some_and(|append| append.due.is_some()),
    }
}

/// Returns the number of writes that `run` makes without a fault.
async fn writes(emulator: &Emulator) -> usize {
    let proxy = Proxy::start(emulator.endpoint(), |_| CallOutcome::Success).await;
    run(&store(&proxy.endpoint, emulator.table()), &thread("no fault")).await.unwrap();
    let writes = proxy.writes().len();
    assert!(writes > 20, "{writes} writes are too few to cover the life of a thread");
    writes
}

/// The store retries the call: its caller gets no error, and no append is stored twice or partly.
#[tokio::test]
async fn a_broken_connection_at_any_write_is_retried() {
    let emulator = Emulator::start().await;
    for number in 1..=writes(&emulator).await {
        for outcome in [CallOutcome::RequestLost, CallOutcome::ResponseLost] {
            let thread = thread(&format!("write {number} {outcome:?}"));
            let proxy = Proxy::at_write(emulator.endpoint(), number, outcome).await;
            let faulty = store(&proxy.endpoint, emulator.table());
            let appends = life(&thread);
            let met = || proxy.calls().iter().any(|call| call.outcome == outcome);
            for (count, append) in (1..).zip(&appends) {
                let before = met();
                faulty.append(append.clone()).await.unwrap_or_else(|error| panic!("{thread}: {error}"));
                if met() && !before {
                    assert_eq!(
                        stored_thread(&emulator.store(), &thread).await,
                        expected(&appends[..count]),
                        "{thread}"
                    );
                }
            }
            faulty.delete(&thread).await.unwrap_or_else(|error| panic!("{thread}: {error}"));
            assert!(met(), "write {number} did not occur");
        }
    }
    emulator.store().clean_up(Duration::ZERO).await.unwrap();
    assert_eq!(emulator.items().await, Vec::<String>::new());
}

/// Another process finds the thread as it was before or after the append, and continues it to its end.
#[tokio::test]
async fn a_crash_at_any_write_leaves_no_partial_append() {
    let emulator = Emulator::start().await;
    for number in 1..=writes(&emulator).await {
        for executed in [false, true] {
            let thread = thread(&format!("death {number} {executed}"));
            let proxy =
                Proxy::at_write(emulator.endpoint(), number, CallOutcome::CallerCrash { executed }).await;
            let crashing = store(&proxy.endpoint, emulator.table());
            assert!(proxy.until_crash(run(&crashing, &thread)).await.is_none(), "{thread} did not crash");
            drop((crashing, proxy));

            let successor = emulator.store();
            let appends = life(&thread);
            // Each append has one entry, so this is the number of stored appends. A process that continues the thread
            // need not have read the lists before: half of the runs do not.
            let count = conformance::read_journal(&successor, &thread).await.len();
            if number % 2 == 0 {
                assert_eq!(stored_thread(&successor, &thread).await, expected(&appends[..count]), "{thread}");
            }
            for append in &appends[count..] {
                successor.append(append.clone()).await.unwrap_or_else(|error| panic!("{thread}: {error}"));
            }
            // A cleanup deletes nothing of a live thread.
            successor.clean_up(Duration::ZERO).await.unwrap();
            assert_eq!(stored_thread(&successor, &thread).await, expected(&appends), "{thread}");
            successor.delete(&thread).await.unwrap();
        }
    }
    assert_eq!(emulator.items().await, Vec::<String>::new());
}

/// A cleanup deletes the parts of a large append before the transaction that names them, as if the writer had been
/// suspended for hours. The transaction then fails, and nothing of the append is stored.
#[tokio::test]
async fn an_append_whose_chunks_are_deleted_is_rolled_back() {
    let emulator = Emulator::start().await;
    let thread = thread("slept");
    let mut large = after(&thread, &[]);
    large.records = vec![record(0, LARGE.clone())];
    let (asleep, awake) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (signal, is_awake) = (Arc::clone(&asleep), Arc::clone(&awake));
    let proxy = Proxy::start(emulator.endpoint(), move |call| match call.operation.as_str() {
        "TransactWriteItems" if !is_awake.load(SeqCst) => {
            signal.notify_one();
            CallOutcome::RequestLost
        }
        _ => CallOutcome::Success,
    })
    .await;
    let others = emulator.store();
    let cleaner = tokio::spawn(async move {
        asleep.notified().await;
        let cleared = others.clean_up(Duration::ZERO).await.unwrap();
        awake.store(true, SeqCst);
        cleared
    });
    let sleeper = store(&proxy.endpoint, emulator.table());
    let failed = sleeper.append(large.clone()).await.unwrap_err();
    assert!(
        failed.to_string().contains("deleted by a cleanup before the append was committed; retry"),
        "{failed}"
    );
    assert_eq!(cleaner.await.unwrap(), 1);
    assert_eq!(emulator.items().await, Vec::<String>::new());
    sleeper.append(large.clone()).await.unwrap();
    assert_eq!(stored_thread(&emulator.store(), &thread).await.records, large.records);
}

/// The response to an append is lost, and another process appends before the retry. If the append was a transaction, only
/// the client request token shows that it was stored; if it was one write, the ids in the head do.
#[tokio::test]
async fn a_lost_response_is_no_conflict_after_another_append() {
    let emulator = Emulator::start().await;
    for (name, operation) in [("transaction", "TransactWriteItems"), ("one write", "PutItem")] {
        for others in [1, 4, 5] {
            let thread = thread(&format!("{name} {others}"));
            let mut before = Vec::new();
            if operation == "PutItem" {
                let first = after(&thread, &[]);
                emulator.store().append(first.clone()).await.unwrap();
                before = first.records;
            }
            let appended = lose_response(&emulator, &thread, before, (operation, others)).await;
            // The head has the ids of five writes.
            if operation == "PutItem" && others == 5 {
                let unknown = appended.unwrap_err();
                assert!(matches!(unknown, StoreError::Failed { .. }), "{unknown:?}");
                assert!(unknown.to_string().contains("read the thread to find out"), "{unknown}");
            } else {
                appended.unwrap_or_else(|error| panic!("{thread}: {error}"));
            }
        }
    }
}

/// Loses the response to an append after the entries `before`, and appends `others` entries in another process before the
/// retry.
async fn lose_response(
    emulator: &Emulator,
    thread: &ThreadId,
    before: Vec<Record>,
    (operation, others): (&str, usize),
) -> Result<(), StoreError> {
    let next = |records: &[Record]| after(thread, records).with_due(Some(Timestamp::from_millis(1_000)));
    let first = next(&before);
    let mut all = [before, first.records.clone()].concat();
    let mut more = Vec::new();
    for _ in 0..others {
        more.push(next(&all));
        all.extend(more.last().unwrap().records.clone());
    }
    let (upstream, table) = (emulator.endpoint().to_owned(), emulator.table().to_owned());
    let lost = Arc::new(Notify::new());
    let has_gone_on = Arc::new(AtomicBool::new(false));
    let (signal, gone_on, mut writes) = (Arc::clone(&lost), Arc::clone(&has_gone_on), 0);
    let proxy = Proxy::start(emulator.endpoint(), move |call| {
        writes += usize::from(call.is_write());
        match writes {
            0 => CallOutcome::Success,
            1 => CallOutcome::ResponseLost,
            _ if gone_on.load(SeqCst) => CallOutcome::Success,
            _ => {
                signal.notify_one();
                CallOutcome::RequestLost
            }
        }
    })
    .await;
    let faulty = store(&proxy.endpoint, emulator.table());
    let other = tokio::spawn(async move {
        lost.notified().await;
        for append in more {
            store(&upstream, &table).append(append).await.unwrap();
        }
        has_gone_on.store(true, SeqCst);
    });
    let appended = faulty.append(first.clone()).await;
    assert_eq!(proxy.writes()[0].operation, operation);
    other.await.unwrap();
    assert_eq!(stored_thread(&emulator.store(), thread).await.records, all);
    // The process has noticed the others' entries.
    faulty.append(after(thread, &all)).await.unwrap();
    appended
}

/// Another process appends before the retry of an append that was never executed. If the service itself rejected the first
/// attempt, this is certain however often the others have written.
#[tokio::test]
async fn an_append_that_was_not_executed_is_a_conflict_after_others() {
    let emulator = Emulator::start().await;
    let rejected = CallOutcome::Error("ThrottlingException");
    for (outcome, others, is_same) in
        [(CallOutcome::RequestLost, 1, true), (CallOutcome::RequestLost, 6, false), (rejected, 6, true)]
    {
        let thread = thread(&format!("{others} others {is_same}"));
        let first = after(&thread, &[]);
        emulator.store().append(first.clone()).await.unwrap();
        // The entries may be the same, as those of two copies of a process. Still only one of them was stored.
        let next = |records: &[Record]| after(&thread, records).with_due(first.due);
        let mut append = next(&first.records);
        if !is_same {
            append.records = vec![record(1, b"mine".to_vec())];
        }
        let (mut all, mut more) = (first.records.clone(), Vec::new());
        for _ in 0..others {
            more.push(next(&all));
            all.extend(more.last().unwrap().records.clone());
        }
        let (upstream, table) = (emulator.endpoint().to_owned(), emulator.table().to_owned());
        let (failed, has_gone_on) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let (signal, gone_on) = (Arc::clone(&failed), Arc::clone(&has_gone_on));
        let proxy = Proxy::start(emulator.endpoint(), move |call| {
            if !call.is_write() || gone_on.load(SeqCst) {
                return CallOutcome::Success;
            }
            signal.notify_one();
            outcome
        })
        .await;
        let winner = tokio::spawn(async move {
            failed.notified().await;
            for append in more {
                store(&upstream, &table).append(append).await.unwrap();
            }
            has_gone_on.store(true, SeqCst);
        });
        let refused = store(&proxy.endpoint, emulator.table()).append(append).await.unwrap_err();
        winner.await.unwrap();
        assert_eq!(proxy.writes()[0].operation, "PutItem");
        assert!(matches!(refused, StoreError::Conflict { place, .. } if place == 1), "{refused}");
        assert_eq!(stored_thread(&emulator.store(), &thread).await.records, all);
    }
}
