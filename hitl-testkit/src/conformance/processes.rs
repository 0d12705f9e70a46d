//! Checks with several processes, one of which may be killed.

use hitl_core::{
    Digest, Place, ThreadId,
    store::{Append, Record, Store, StoreError, ThreadStatus},
};

use super::samples::{entries, entry, ok, review, reviews_of, same};

/// Competes for every place of a journal up to `places`, and returns the places that were won. For many tasks, and for
/// [many processes](super#more-than-one-process).
///
/// # Panics
/// If an append fails for any other reason than a conflict.
pub async fn contend(store: &impl Store, thread: &ThreadId, name: &str, places: u64) -> Vec<Place> {
    let mut won = Vec::new();
    loop {
        let tail = ok("tail", store.tail(thread).await).unwrap_or_default();
        let place = tail.records.last().map_or(0, |record| record.place.get() + 1);
        if place >= places {
            return won;
        }
        let record = entry(place, name).with_snapshot(place % 10 == 9);
        let after = tail.records.last().map(|record| record.hash);
        match store.append(entries(thread, 0..1).with_records(vec![record]).with_after(after)).await {
            Ok(()) => won.push(place.into()),
            Err(StoreError::Conflict { thread: of, place: at }) if of == *thread && at == place => {}
            Err(error) => panic!("the append of {name} at place {place}: {error}"),
        }
    }
}

/// Appends until the process is killed, and reports the last place of each append once it is acknowledged. Five small
/// appends alternate with a large one, most of whose time a store spends between the parts of the append. Returns only
/// if an append fails, with its error. See [the crash](super#more-than-one-process).
///
/// ```no_run
/// # async fn child(store: hitl::store::MemoryStore, thread: hitl::ThreadId) {
/// use hitl::testkit::conformance;
///
/// let error = conformance::append_until_killed(&store, &thread, |place| println!("{place}")).await;
/// panic!("{error}");
/// # }
/// ```
pub async fn append_until_killed(
    store: &impl Store,
    thread: &ThreadId,
    mut acknowledged: impl FnMut(Place),
) -> StoreError {
    let mut head = 0;
    for number in 0.. {
        let append = part(thread, number, head);
        head += append.records.len() as u64;
        match store.append(append).await {
            Ok(()) => acknowledged((head - 1).into()),
            Err(error) => return error,
        }
    }
    unreachable!("a journal has no last place")
}

/// Returns the append with this number, which starts at this place.
fn part(thread: &ThreadId, number: u64, place: u64) -> Append {
    let is_large = |number: u64| number % 6 == 5;
    let text = |number| format!("{thread}{}", "x".repeat(if is_large(number) { 3_000 } else { 0 }));
    let count = if is_large(number) { 40 } else { 3 };
    let mut records: Vec<_> = (place..place + count).map(|place| entry(place, &text(number))).collect();
    records[0].snapshot = number.is_multiple_of(7);
    let reviews = vec![review(thread, place + count - 1, number)];
    let after = number.checked_sub(1).map(|before| entry(place - 1, &text(before)).hash);
    Append::new(thread.clone(), records, ThreadStatus::Running).with_reviews(reviews).with_after(after)
}

/// Checks the thread of a process that ran [`append_until_killed`] and was killed: what was acknowledged exists, no
/// append is written partially, the index has the data of the last append, and the thread can be continued.
///
/// # Panics
/// If a promise is not kept.
pub async fn after_crash(store: &impl Store, thread: &ThreadId, last_acknowledged: Option<Place>) {
    let records = read_journal(store, thread).await;
    let length = records.len() as u64;
    let acknowledged = last_acknowledged.map_or(0, |place| place.get() + 1);
    assert!(length >= acknowledged, "{acknowledged} entries were acknowledged, but the journal has {length}");
    let (mut written, mut reviews) = (Vec::new(), Vec::new());
    for number in 0.. {
        let head = written.len() as u64;
        if head >= length {
            break;
        }
        let append = part(thread, number, head);
        written.extend(append.records);
        reviews = append.reviews;
    }
    assert!(
        written.len() == records.len(),
        "an append that ends at place {} was written up to place {} only",
        written.len() - 1,
        length - 1
    );
    same("the journal after the crash", &records, &written);
    same("the open reviews after the crash", &reviews_of(store, &[thread], 10).await, &reviews);
    let after = records.last().map(|record| record.hash);
    let next = entries(thread, length..length + 1).with_after(after);
    ok("append after the crash", store.append(next).await);
    same(
        "the length of the journal after that append",
        &(read_journal(store, thread).await.len() as u64),
        &(length + 1),
    );
}

/// Returns the whole journal of a thread, read page by page. Checks that it has no gap, that every body matches its
/// hash, and that the tail is its end. Only for journals of this module, whose hashes cover the body alone.
///
/// # Panics
/// If one of these checks fails.
pub async fn read_journal(store: &impl Store, thread: &ThreadId) -> Vec<Record> {
    // The tail is read first, because the journal may grow while it is read.
    let tail = ok("tail", store.tail(thread).await);
    let mut records = Vec::new();
    loop {
        let page = ok("entries", store.entries(thread, (records.len() as u64).into(), 25).await);
        if page.is_empty() {
            break;
        }
        records.extend(page);
    }
    for (place, record) in (0..).zip(&records) {
        assert!(
            record.place == place,
            "the journal of `{thread}` has place {} where place {place} must be",
            record.place
        );
        assert!(
            record.hash == Digest::of(&record.body),
            "the hash of place {place} of `{thread}` does not match its body"
        );
    }
    if let Some(tail) = tail {
        let (first, last) = match tail.records.as_slice() {
            [first, .., last] => (first, last),
            [only] => (only, only),
            [] => panic!("the tail of `{thread}` is empty, although the thread exists"),
        };
        let there = usize::try_from(first.place.get()).ok().zip(usize::try_from(last.place.get()).ok());
        let part = there.and_then(|(first, last)| records.get(first..=last));
        assert!(part == Some(&tail.records), "the tail of `{thread}` is not a part of its journal");
        assert!(
            first.place == 0 || first.snapshot,
            "the tail of `{thread}` starts neither with a snapshot nor at place 0"
        );
        let before =
            there.and_then(|(first, _)| records.get(first.checked_sub(1)?)).map(|record| record.hash);
        assert!(tail.before == before, "the tail of `{thread}` has the wrong hash of the entry before it");
        assert!(
            !tail.records[1..].iter().any(|record| record.snapshot),
            "the tail of `{thread}` starts before the last snapshot"
        );
    }
    records
}
