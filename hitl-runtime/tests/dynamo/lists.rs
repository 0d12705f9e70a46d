//! The cost of the lists, and their contents while threads change their status.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hitl_runtime::{
    ThreadId, Timestamp,
    store::{Append, Record, Store as _, ThreadStatus, dynamo::DynamoStore},
};

use crate::{
    emulator::{Emulator, store},
    fixture::{after, review, thread},
    proxy::{Call, CallOutcome, Proxy},
};

/// The number of reviews on a page of the command line.
const PAGE: usize = 50;

/// The number of read units that a page of the inbox may cost.
const MOST_UNITS: f64 = 12.0;

async fn names(store: &DynamoStore, status: ThreadStatus) -> Vec<ThreadId> {
    let page = store.threads(Some(status), None, PAGE).await.unwrap();
    page.items.into_iter().map(|(thread, _)| thread).collect()
}

fn waiting(thread: &ThreadId, opened: u64) -> Append {
    let mut review = review(thread, 4, 1_763_800_000_000 + opened)
        .with_role(Some("refund-approver".into()))
        .with_deadline(Some(Timestamp::from_millis(1_763_886_400_000 + opened)));
    review.graph = "RefundAgent".into();
    let due = review.deadline;
    after(thread, &[]).with_reviews(vec![review]).with_standing(ThreadStatus::Waiting).with_due(due)
}

fn units(calls: &[Call]) -> f64 {
    calls.iter().map(|call| call.units).sum()
}

/// A page of the command line's inbox is a page of reviews. On the first page, the threads that are in doubt, have
/// failed or are running follow.
#[tokio::test]
async fn a_page_of_the_inbox_costs_few_units_regardless_of_the_waiting_threads() {
    let emulator = Emulator::start().await;
    let all = emulator.store();
    let mut count = 0;
    for many in [200, 1_500] {
        let appends = (count..many).map(|i| waiting(&thread(&format!("ticket-A-{i:04}")), i));
        let appends: Vec<_> = appends.map(|append| all.append(append)).collect();
        stream::iter(appends).buffer_unordered(16).try_collect::<()>().await.unwrap();
        count = many;

        let proxy = Proxy::start(emulator.endpoint(), |_| CallOutcome::Success).await;
        let reader = store(&proxy.endpoint, emulator.table());
        let first = reader.reviews(None, PAGE).await.unwrap();
        for status in [ThreadStatus::InDoubt, ThreadStatus::Failed, ThreadStatus::Running] {
            assert_eq!(names(&reader, status).await, Vec::<ThreadId>::new());
        }
        let of_first = proxy.calls();
        let second = reader.reviews(first.next.as_deref(), PAGE).await.unwrap();
        let of_second = proxy.calls().split_off(of_first.len());
        for (page, from) in [(first, 0), (second, PAGE)] {
            let listed: Vec<_> = page.items.iter().map(|review| review.thread.to_string()).collect();
            let expected: Vec<_> = (from..from + PAGE).map(|i| format!("ticket-A-{i:04}")).collect();
            assert_eq!(listed, expected);
        }
        for calls in [of_first, of_second] {
            println!("{many} waiting: {} calls, {} units", calls.len(), units(&calls));
            assert!(calls.len() <= 12, "{many} waiting: {} calls", calls.len());
            if emulator.counts_units() {
                assert!(units(&calls) <= MOST_UNITS, "{many} waiting: {} units", units(&calls));
            }
        }
    }
}

/// A due time that stays the same stays in its list, also if the thread begins or ceases to run.
#[tokio::test]
async fn the_lists_are_right_if_the_status_changes_and_the_due_time_does_not() {
    use ThreadStatus::{Ended, InDoubt, Running, Waiting};
    let emulator = Emulator::start().await;
    let (store, thread) = (emulator.store(), thread("same time"));
    let mut records: Vec<Record> = Vec::new();
    let steps = [
        (Running, Some(5)),
        (Waiting, Some(5)),
        (Running, Some(5)),
        (Running, None),
        (Waiting, None),
        (Running, None),
        (Waiting, Some(7)),
        (Running, Some(7)),
        (InDoubt, Some(7)),
        (Running, Some(8)),
        (InDoubt, Some(8)),
        (Ended, None),
    ];
    for (standing, due) in steps {
        let append =
            after(&thread, &records).with_standing(standing).with_due(due.map(Timestamp::from_millis));
        records.extend(append.records.clone());
        store.append(append).await.unwrap();
        let reader = emulator.store();
        let listed = reader.due(Timestamp::MAX, None, 10).await.unwrap().items;
        assert_eq!(listed.len(), usize::from(due.is_some()), "{standing:?} {due:?}");
        let all = reader.threads(None, None, 10).await.unwrap().items;
        assert_eq!(all, [(thread.clone(), standing)], "{due:?}");
        for status in [Running, Waiting, InDoubt, Ended] {
            let found = names(&reader, status).await.len();
            assert_eq!(found, usize::from(status == standing), "{status:?} at {standing:?} {due:?}");
        }
    }
    store.delete(&thread).await.unwrap();
    assert_eq!(emulator.items().await, Vec::<String>::new());
}

/// A reader cannot miss a running thread whose due time changes, because its row keeps its key.
#[tokio::test]
async fn a_due_time_that_changes_moves_no_row_of_a_running_thread() {
    let emulator = Emulator::start().await;
    let proxy = Proxy::start(emulator.endpoint(), |_| CallOutcome::Success).await;
    let (store, thread) = (store(&proxy.endpoint, emulator.table()), thread("runs"));
    let mut records: Vec<Record> = Vec::new();
    for due in [Some(9), Some(3), None, Some(5)] {
        let append = after(&thread, &records).with_due(due.map(Timestamp::from_millis));
        records.extend(append.records.clone());
        store.append(append).await.unwrap();
        let write = proxy.writes().pop().unwrap();
        assert!(!write.request.to_string().contains("Delete"), "{due:?}: {}", write.request);
        let by_3 = store.due(Timestamp::from_millis(3), None, 10).await.unwrap().items;
        assert_eq!(by_3.len(), usize::from(due == Some(3)), "{due:?}");
        let all = store.due(Timestamp::from_millis(9), None, 10).await.unwrap().items;
        assert_eq!(all.len(), usize::from(due.is_some()), "{due:?}");
        assert_eq!(names(&store, ThreadStatus::Running).await, std::slice::from_ref(&thread));
    }
}

/// Running and waiting threads have different lists of due times, which are one list to the reader, page by page.
#[tokio::test]
async fn due_times_of_running_and_waiting_threads_are_one_list() {
    let emulator = Emulator::start().await;
    let store = emulator.store();
    for (i, due) in [5, 3, 5, 1, 4, 1, 9, 3].into_iter().enumerate() {
        let standing = if i % 2 == 0 { ThreadStatus::Running } else { ThreadStatus::Waiting };
        let append = after(&thread(&format!("{due} {i}")), &[]);
        store
            .append(append.with_standing(standing).with_due(Some(Timestamp::from_millis(due))))
            .await
            .unwrap();
    }
    for limit in [1, 2, 3, 10] {
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let page = store.due(Timestamp::from_millis(5), next.as_deref(), limit).await.unwrap();
            assert!(page.items.len() <= limit);
            found.extend(page.items.iter().map(ThreadId::to_string));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(found, ["1 3", "1 5", "3 1", "3 7", "4 4", "5 0", "5 2"], "{limit}");
    }
}

/// If the running threads are more than one query returns, the status is read from the head of each thread.
#[tokio::test]
async fn the_status_of_threads_is_right_if_very_many_are_running() {
    let emulator = Emulator::start().await;
    let store = emulator.store();
    let running = thread("running");
    store.append(after(&running, &[])).await.unwrap();
    store.append(waiting(&thread("waiting"), 0)).await.unwrap();
    for number in 0..3 {
        let text = |text: String| AttributeValue::S(text);
        let item = [
            ("pk".to_owned(), text("running/00".into())),
            ("sk".to_owned(), text(format!("other {number}"))),
            ("filler".to_owned(), AttributeValue::B(Blob::new(vec![0; 390_000]))),
        ];
        emulator.put(item.into()).await;
    }
    assert_eq!(names(&store, ThreadStatus::Running).await, std::slice::from_ref(&running));
    assert_eq!(store.due(Timestamp::from_millis(1_000), None, 10).await.unwrap().items, [running]);
    assert_eq!(names(&store, ThreadStatus::Waiting).await, [thread("waiting")]);
    assert_eq!(store.threads(None, None, 10).await.unwrap().items.len(), 2);
}
