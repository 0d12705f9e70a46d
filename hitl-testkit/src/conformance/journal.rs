//! Checks of journals: order, conflicts, tails, names, sizes and deletion.

use std::collections::BTreeSet;

use hitl_core::{
    Digest, Place, ThreadId, Timestamp,
    store::{OpenReview, Record, Store, StoreError, ThreadStatus},
};

use super::read_journal;
use super::samples::{delete, entries, entry, name, named, ok, review, reviews_of, same, standings};

/// Checks that an unknown thread has no entries and can be deleted.
///
/// # Panics
/// If the promise is not kept.
pub async fn unknown_thread<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("unknown");
    same("the tail of an unknown thread", &ok("tail", store.tail(&thread).await), &None);
    same(
        "the entries of an unknown thread",
        &ok("entries", store.entries(&thread, Place::START, 10).await),
        &vec![],
    );
    ok("delete an unknown thread", store.delete(&thread).await);
}

/// Checks that entries are returned unchanged and in order, from any place on, and never more than requested.
///
/// # Panics
/// If the promise is not kept.
pub async fn order<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("order");
    let mut written = Vec::new();
    for count in [1, 3, 1, 7, 2, 40, 1] {
        let from = written.len() as u64;
        let mut append = entries(&thread, from..from + count);
        append.records.iter_mut().for_each(|record| record.snapshot = record.place.get() % 5 == 2);
        written.extend(append.records.clone());
        ok("append", store.append(append).await);
    }
    for from in [0, 1, 20, 54, 55, 56, u64::MAX] {
        for limit in [0, 1, 7, 55, usize::MAX] {
            let what = format!("at most {limit} entries from place {from} on");
            let read = ok(&what, store.entries(&thread, from.into(), limit).await);
            let start = usize::try_from(from).map_or(written.len(), |from| from.min(written.len()));
            let fit = limit.min(written.len() - start);
            assert!(read.len() <= fit, "{what}: {} were returned", read.len());
            assert!(
                fit == 0 || !read.is_empty(),
                "{what}: none were returned, which only the end of the journal allows"
            );
            same(&what, &read, &written[start..start + read.len()].to_vec());
        }
    }
    same("the whole journal", &read_journal(&store, &thread).await, &written);
    ok("delete", store.delete(&thread).await);
}

/// Checks that an append fills the next place and no other, and that a conflicting append changes nothing.
///
/// # Panics
/// If the promise is not kept.
pub async fn conflicts<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("fence");
    let try_at = async |place: u64, count: u64| {
        let mut append = entries(&thread, place..place + count);
        append
            .records
            .iter_mut()
            .for_each(|record| *record = entry(record.place.get(), "loser").with_snapshot(true));
        append.standing = ThreadStatus::Failed;
        append.reviews = vec![review(&thread, place, 7)];
        match store.append(append).await {
            Err(StoreError::Conflict { thread: of, place: at }) => {
                same("the thread and the place of the conflict", &(of, at), &(thread.clone(), place.into()));
            }
            other => panic!(
                "an append at place {place} must be rejected with `Conflict`, but the result was {other:?}"
            ),
        }
    };
    try_at(1, 1).await;
    try_at(7, 2).await;
    same("the tail after appends past a missing head", &ok("tail", store.tail(&thread).await), &None);

    ok("append", store.append(entries(&thread, 0..3)).await);
    for (place, count) in [(0, 1), (1, 1), (2, 1), (2, 2), (0, 5), (4, 1), (9, 3)] {
        try_at(place, count).await;
    }
    same(
        "the journal after the conflicts",
        &read_journal(&store, &thread).await,
        &entries(&thread, 0..3).records,
    );
    same("the open reviews after the conflicts", &reviews_of(&store, &[&thread], 10).await, &vec![]);
    same(
        "the status after the conflicts",
        &standings(&store, None, &[&thread], 10).await,
        &vec![(thread.clone(), ThreadStatus::Running)],
    );
    ok("append", store.append(entries(&thread, 3..4)).await);
    ok("delete", store.delete(&thread).await);
}

/// Checks that the appends which [`Append::check`](hitl_core::store::Append::check) rejects are rejected and change nothing.
///
/// # Panics
/// If the promise is not kept.
pub async fn invalid_appends<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let (thread, other) = (name("refusals"), name("refusals, another"));
    ok("append", store.append(entries(&thread, 0..2)).await);
    let next = entries(&thread, 2..5);
    let with = |review: OpenReview| next.clone().with_reviews(vec![review]);
    let bad = [
        ("no entries", next.clone().with_records(vec![])),
        ("a gap", next.clone().with_records(vec![entry(2, ""), entry(4, "")])),
        ("a place twice", next.clone().with_records(vec![entry(2, ""), entry(2, "")])),
        ("places backwards", next.clone().with_records(vec![entry(2, ""), entry(1, "")])),
        ("a place that exceeds i64::MAX", entries(&thread, (1 << 63)..(1 << 63) + 1)),
        ("a due time that exceeds i64::MAX", next.clone().with_due(Some(Timestamp::from_millis(1 << 63)))),
        ("no hash to follow", next.clone().with_after(None)),
        ("a hash to follow at place 0", entries(&other, 0..1).with_after(next.after)),
        ("a review of another thread", with(review(&other, 2, 0))),
        ("an opening time that exceeds i64::MAX", with(review(&thread, 2, u64::MAX))),
        (
            "a deadline that exceeds i64::MAX",
            with(review(&thread, 2, 0).with_deadline(Some(Timestamp::from_millis(1 << 63)))),
        ),
    ];
    for (what, append) in bad {
        let answer = store.append(append).await;
        assert!(
            matches!(answer, Err(StoreError::InvalidAppend { .. })),
            "an append with {what} must be rejected with `InvalidAppend`, but the result was {answer:?}"
        );
    }
    same(
        "the length of the journal after the rejected appends",
        &read_journal(&store, &thread).await.len(),
        &2,
    );
    same("the open reviews after the rejected appends", &reviews_of(&store, &[&thread], 10).await, &vec![]);
    ok("append", store.append(next).await);
    ok("delete", store.delete(&thread).await);
}

/// Checks that the tail starts with the last snapshot, at any position within its append.
///
/// # Panics
/// If the promise is not kept.
pub async fn tails<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("tails");
    let steps: [(u64, &[u64], u64); 8] = [
        (1, &[], 0),
        (4, &[], 0),
        (1, &[5], 5),
        (3, &[], 5),
        (4, &[10, 11], 11),
        (1, &[], 11),
        (1, &[14], 14),
        (90, &[], 14),
    ];
    let mut written = Vec::new();
    for (count, snapshots, from) in steps {
        let head = written.len() as u64;
        let mut append = entries(&thread, head..head + count);
        append
            .records
            .iter_mut()
            .for_each(|record| record.snapshot = snapshots.contains(&record.place.get()));
        written.extend(append.records.clone());
        ok("append", store.append(append).await);
        let tail = ok("tail", store.tail(&thread).await);
        let before = written.iter().find(|record| record.place + 1 == from).map(|record| record.hash);
        same("the hash before the tail", &tail.as_ref().map(|tail| tail.before), &Some(before));
        same(
            "the tail",
            &tail.map(|tail| tail.records),
            &Some(written.iter().filter(|record| record.place >= from).cloned().collect()),
        );
    }
    ok("delete", store.delete(&thread).await);
}

/// Checks that a change to one thread does not show in another, however similar their names are.
///
/// # Panics
/// If the promise is not kept.
pub async fn isolation<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let base = name("isolation");
    let alike = [
        "", "a", "A", "aa", "%", "_", "*", "'", "\"", "\\", "/", "a/b", "#", "\u{e9}", "e\u{301}", "ß", "ss",
        "0", "00",
    ];
    let threads: Vec<_> = alike.iter().map(|end| named(&format!("{base}{end}"))).collect();
    for round in 0..3 {
        for (i, thread) in threads.iter().enumerate() {
            let mut append = entries(thread, round..round + 1);
            let text = format!("{thread}, the {i}th");
            append.after = round.checked_sub(1).map(|before| entry(before, &text).hash);
            append.records = vec![entry(round, &text)];
            append.reviews = vec![review(thread, round, i as u64)];
            ok("append", store.append(append).await);
        }
    }
    ok("delete", store.delete(&threads[0]).await);
    ok("delete", store.delete(&threads[2]).await);
    for (i, thread) in threads.iter().enumerate() {
        let expected = match i {
            0 | 2 => vec![],
            _ => (0..3).map(|round| entry(round, &format!("{thread}, the {i}th"))).collect(),
        };
        same(
            "the journal of a thread with a similar name",
            &ok("entries", store.entries(thread, Place::START, 10).await),
            &expected,
        );
    }
    let left: Vec<_> = threads.iter().collect();
    let open: BTreeSet<_> =
        reviews_of(&store, &left, 100).await.into_iter().map(|review| review.thread).collect();
    same("the number of threads with open reviews", &open.len(), &(threads.len() - 2));
    delete(&store, &threads).await;
}

/// Checks that the name of a thread is kept byte for byte.
///
/// # Panics
/// If the promise is not kept.
pub async fn names<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let run = name("n");
    let long = |filler: &str| {
        let room = ThreadId::MAX_BYTES - run.as_str().len();
        format!("{run}{}", filler.repeat(room / filler.len()))
    };
    let threads: Vec<_> = [
        long("x"),
        long("界"),
        long("😀"),
        format!("{run} Überweisung № 5 — отзыв"),
        format!("{run} שלום\u{200f} مرحبا"),
        format!("{run} 👩\u{200d}👩\u{200d}👧 \u{10ffff}"),
        format!("{run}; DROP TABLE hitl_threads; --"),
        format!("{run} {{\"json\": [1, 2]}} $1 ?1 :a @b"),
    ]
    .iter()
    .map(|name| named(name))
    .collect();
    for thread in &threads {
        let mut append = entries(thread, 0..2);
        append.reviews = vec![review(thread, 1, 1)];
        ok("append", store.append(append).await);
        same("the journal", &read_journal(&store, thread).await, &entries(thread, 0..2).records);
    }
    let of: Vec<_> = threads.iter().collect();
    let sorted: BTreeSet<_> = threads.iter().cloned().collect();
    for limit in [1, 3, 100] {
        let listed: Vec<_> =
            standings(&store, None, &of, limit).await.into_iter().map(|(thread, _)| thread).collect();
        same("the threads, in the order of their bytes", &listed, &sorted.iter().cloned().collect());
        let open: BTreeSet<_> =
            reviews_of(&store, &of, limit).await.into_iter().map(|review| review.thread).collect();
        same("the threads of the open reviews", &open, &sorted);
    }
    delete(&store, &threads).await;
}

/// Checks that bodies are returned byte for byte, from empty ones to several megabytes.
///
/// A store that cannot keep a body must reject it with an error and write nothing; a body of 300,000 bytes must fit.
///
/// # Panics
/// If the promise is not kept.
pub async fn sizes<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("sizes");
    let (mut place, mut after) = (0, None);
    for size in [0, 1, 255, 256, 4_000, 4_096, 70_000, 300_000, 1_000_000, 5_000_000] {
        // All byte values, without a pattern that would compress well.
        let body: Vec<u8> = (0..size).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let record = Record::new(place, Digest::of(&body), body).with_snapshot(true);
        let append = entries(&thread, 0..1).with_records(vec![record.clone()]).with_after(after);
        match store.append(append).await {
            Ok(()) => (place, after) = (place + 1, Some(record.hash)),
            Err(error) if size > 300_000 => {
                assert!(
                    !matches!(error, StoreError::Conflict { .. }),
                    "an append with a body of {size} bytes was rejected with `Conflict`, although there was no conflict"
                );
                continue;
            }
            Err(error) => panic!("a body of {size} bytes was rejected: {error}"),
        }
        let tail = ok("tail", store.tail(&thread).await).map(|tail| tail.records);
        assert!(tail == Some(vec![record]), "a body of {size} bytes was changed");
    }
    same("the length of the journal", &(read_journal(&store, &thread).await.len() as u64), &place);
    ok("delete", store.delete(&thread).await);
}

/// Checks that an append of many entries and many bytes is written completely, or rejected and not written at all.
///
/// One hundred entries of 300,000 bytes in total must fit. An append that the store cannot keep must be rejected with
/// an error, including the small entries in it.
///
/// # Panics
/// If the promise is not kept.
pub async fn large_appends<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("large appends");
    let mut written: Vec<Record> = Vec::new();
    // The number of bytes in each entry of an append.
    for sizes in [vec![2_900; 100], vec![10, 250_000, 10], vec![10, 1_500_000, 10], vec![15_000; 100]] {
        let next = written.len() as u64;
        let records: Vec<_> =
            (next..).zip(&sizes).map(|(place, size)| entry(place, &"y".repeat(*size))).collect();
        let bytes: usize = records.iter().map(|record| record.body.len()).sum();
        let after = written.last().map(|record| record.hash);
        match store.append(entries(&thread, 0..1).with_records(records.clone()).with_after(after)).await {
            Ok(()) => written.extend(records),
            // Entries that were written in spite of the error would occupy the places of the next append.
            Err(error) if bytes > 300_000 && !matches!(error, StoreError::Conflict { .. }) => {}
            Err(error) => panic!("an append of {} entries and {bytes} bytes: {error}", sizes.len()),
        }
    }
    let there = read_journal(&store, &thread).await;
    assert!(
        there == written,
        "the journal has {} entries, but {} were accepted, or their content was changed",
        there.len(),
        written.len()
    );
    ok("delete", store.delete(&thread).await);
}

/// Checks that a tail is complete, however many bytes follow the last snapshot, and that a long journal is deleted
/// completely.
///
/// # Panics
/// If the promise is not kept.
pub async fn long_tails<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("long tails");
    let mut written = Vec::new();
    for place in 0..15 {
        let record = entry(place, &"z".repeat(100_000)).with_snapshot(place == 1);
        let after = written.last().map(|before: &Record| before.hash);
        ok(
            "append",
            store.append(entries(&thread, 0..1).with_records(vec![record.clone()]).with_after(after)).await,
        );
        written.push(record);
    }
    let tail = ok("tail", store.tail(&thread).await).unwrap_or_default().records;
    assert!(
        tail == written[1..],
        "the tail has {} of 14 entries of 100,000 bytes each, or their content was changed",
        tail.len()
    );
    ok("delete", store.delete(&thread).await);
    ok("append to a new thread of the same name", store.append(entries(&thread, 0..1)).await);
    same("the new journal", &read_journal(&store, &thread).await, &entries(&thread, 0..1).records);
    ok("delete", store.delete(&thread).await);
}

/// Checks that a deleted thread is removed from the journal and the index, and that its name can be used again.
///
/// # Panics
/// If the promise is not kept.
pub async fn deletion<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let threads = [name("deletion 1"), name("deletion 2"), name("deletion 3")];
    let of: Vec<_> = threads.iter().collect();
    for thread in &threads {
        let reviews = vec![review(thread, 1, 5), review(thread, 2, 6)];
        ok("append", store.append(entries(thread, 0..100).with_reviews(reviews)).await);
    }
    let [gone, ..] = &threads;
    ok("delete", store.delete(gone).await);
    ok("delete again", store.delete(gone).await);
    same("the tail of the deleted thread", &ok("tail", store.tail(gone).await), &None);
    same(
        "the entries of the deleted thread",
        &ok("entries", store.entries(gone, Place::START, 10).await),
        &vec![],
    );
    same("the number of open reviews of the other threads", &reviews_of(&store, &of, 10).await.len(), &4);
    same("the number of other threads", &standings(&store, None, &of, 10).await.len(), &2);
    let answer = store.append(entries(gone, 100..101)).await;
    assert!(
        matches!(answer, Err(StoreError::Conflict { .. })),
        "an append to a deleted thread must be rejected with `Conflict`, but the result was {answer:?}"
    );
    let again = entries(gone, 0..2).with_standing(ThreadStatus::Ended);
    ok("append to a new thread of the same name", store.append(again).await);
    same("the new journal", &read_journal(&store, gone).await, &entries(gone, 0..2).records);
    // A writer that has not noticed the deletion is at the same place, but follows another entry.
    let late = entries(gone, 2..3).with_after(Some(Digest::of(b"of the deleted one")));
    let answer = store.append(late).await;
    assert!(
        matches!(answer, Err(StoreError::Conflict { .. })),
        "an append with the hash of another entry must be rejected with `Conflict`, but the result was {answer:?}"
    );
    same("the new journal", &read_journal(&store, gone).await, &entries(gone, 0..2).records);
    same("the open reviews of the new thread", &reviews_of(&store, &[gone], 10).await, &vec![]);
    for thread in &threads[1..] {
        same(
            "the journal of another thread",
            &read_journal(&store, thread).await,
            &entries(thread, 0..100).records,
        );
    }
    delete(&store, &threads).await;
}

/// Checks that an append through one handle is immediately visible through another one, and that it persists after all
/// handles are closed.
///
/// # Panics
/// If the promise is not kept.
pub async fn reopening<S: Store>(open: impl AsyncFn() -> S) {
    let thread = name("reopening");
    let mut first = open().await;
    for place in 0..20 {
        let second = open().await;
        let reviews = vec![review(&thread, place, place)];
        ok("append", first.append(entries(&thread, place..place + 1).with_reviews(reviews.clone())).await);
        same("the journal", &read_journal(&second, &thread).await, &entries(&thread, 0..place + 1).records);
        same("the reviews", &reviews_of(&second, &[&thread], 10).await, &reviews);
        let answer = second.append(entries(&thread, place..place + 1)).await;
        assert!(
            matches!(answer, Err(StoreError::Conflict { .. })),
            "a place that another handle has filled must be rejected with `Conflict`, but the result was {answer:?}"
        );
        first = second;
    }
    drop(first);
    let again = open().await;
    same("the journal", &read_journal(&again, &thread).await, &entries(&thread, 0..20).records);
    ok("delete", again.delete(&thread).await);
    same("the tail of the deleted thread", &ok("tail", open().await.tail(&thread).await), &None);
}
