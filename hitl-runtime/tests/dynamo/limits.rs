//! Size limits: large values that are stored, and larger ones that are refused.

use std::time::Duration;

use hitl_runtime::{
    ThreadId,
    store::{Append, Record, Store as _, StoreError, ThreadStatus},
};
use hitl_testkit::conformance;

use crate::{
    emulator::{Emulator, store},
    fixture::{after, noise, record, review, reviews, stored_thread, thread},
    proxy::{CallOutcome, Proxy},
};

fn with_body(thread: &ThreadId, before: &[Record], body: Vec<u8>) -> Append {
    let append = after(thread, before);
    let place = append.records[0].place;
    append.with_records(vec![record(place, body)])
}

#[tokio::test]
async fn a_five_megabyte_entry_is_stored_and_deleted_in_chunks() {
    let emulator = Emulator::start().await;
    let (store, thread) = (emulator.store(), thread("large"));
    let large = with_body(&thread, &[], noise(5_000_000, 3));
    store.append(large.clone()).await.unwrap();
    assert_eq!(conformance::read_journal(&emulator.store(), &thread).await, large.records);
    let parts = emulator.items().await.iter().filter(|key| key.starts_with("part/")).count();
    assert_eq!(parts, 5_000_000_usize.div_ceil(384 * 1024));
    store.delete(&thread).await.unwrap();
    assert_eq!(emulator.items().await, Vec::<String>::new());
}

/// A megabyte of compressible text is one item.
#[tokio::test]
async fn compressible_text_is_compressed() {
    let emulator = Emulator::start().await;
    let proxy = Proxy::start(emulator.endpoint(), |_| CallOutcome::Success).await;
    let words = "Please refund order A-9133, it arrived broken. ".repeat(21_000).into_bytes();
    let append = with_body(&thread("words"), &[], words);
    store(&proxy.endpoint, emulator.table()).append(append).await.unwrap();
    assert_eq!(proxy.writes().len(), 1);
    assert!(proxy.writes()[0].request.to_string().len() < 10_000);
}

#[tokio::test]
async fn a_too_large_append_is_rejected_before_any_write() {
    let emulator = Emulator::start().await;
    let thread = thread("too large");
    let fits = 16 * 1024 * 1024 - 37;
    let too_large = with_body(&thread, &[], vec![b'x'; fits + 1]);
    let too_many =
        after(&thread, &[]).with_reviews((0..10_001).map(|place| review(&thread, place, place)).collect());
    let role =
        String::from_utf8(noise(70_000, 5).into_iter().map(|byte| b'a' + byte % 26).collect()).unwrap();
    let too_wordy = after(&thread, &[]).with_reviews(vec![review(&thread, 0, 0).with_role(Some(role))]);
    // Few rows, which compress well: the limit is on their size before compression.
    let long_name = |place| {
        let mut review = review(&thread, place, 0);
        review.graph = "G".repeat(2_000);
        review
    };
    let too_long = after(&thread, &[]).with_reviews((0..5_000).map(long_name).collect());
    let proxy = Proxy::start(emulator.endpoint(), |_| CallOutcome::Success).await;
    let wired = store(&proxy.endpoint, emulator.table());
    for append in [too_large, too_many, too_wordy, too_long] {
        let refused = wired.append(append).await.unwrap_err();
        assert!(matches!(refused, StoreError::InvalidAppend { .. }), "{refused}");
        assert!(refused.to_string().len() < 200, "{refused}");
    }
    assert_eq!(proxy.calls().len(), 0);

    wired.append(with_body(&thread, &[], vec![b'x'; fits])).await.unwrap();
}

/// A `for` over a thousand orders opens its reviews in one transaction; each verdict then writes one row again.
#[tokio::test]
async fn a_thousand_reviews_open_in_one_transaction() {
    let emulator = Emulator::start().await;
    let thread = thread("for");
    let proxy = Proxy::start(emulator.endpoint(), |_| CallOutcome::Success).await;
    let wired = store(&proxy.endpoint, emulator.table());
    let open: Vec<_> = (0..1_000).map(|place| review(&thread, place, 7)).collect();
    let first = after(&thread, &[]).with_reviews(open.clone());
    wired.append(first.clone()).await.unwrap();
    assert_eq!(proxy.writes().len(), 1);
    assert_eq!(reviews(&emulator.store(), &thread).await, open);

    let second = after(&thread, &first.records).with_reviews(open[1..].to_vec());
    wired.append(second).await.unwrap();
    let verdict = proxy.writes().pop().unwrap();
    let rows = verdict.request["TransactItems"].as_array().unwrap();
    assert_eq!(
        rows.len(),
        4,
        "expected the head, the earlier entry, one review row, and the row of the running thread"
    );
    assert_eq!(reviews(&emulator.store(), &thread).await, open[1..]);
}

/// A thousand reviews with different opening times have a thousand rows, which one append closes, as a sweep does after
/// their deadline.
#[tokio::test]
async fn one_append_closes_a_thousand_review_rows() {
    let emulator = Emulator::start().await;
    let (store, thread) = (emulator.store(), thread("expired"));
    let open: Vec<_> = (0..1_000).map(|place| review(&thread, place, place)).collect();
    let first = after(&thread, &[]).with_reviews(open.clone()).with_standing(ThreadStatus::Waiting);
    store.append(first.clone()).await.unwrap();
    assert_eq!(reviews(&emulator.store(), &thread).await, open);
    store.append(after(&thread, &first.records)).await.unwrap();
    let seen = stored_thread(&emulator.store(), &thread).await;
    assert_eq!((seen.records.len(), seen.reviews, seen.standing), (2, vec![], Some(ThreadStatus::Running)));
    store.delete(&thread).await.unwrap();
    store.clean_up(Duration::ZERO).await.unwrap();
    assert_eq!(emulator.items().await, Vec::<String>::new());
}
