//! Sample entries and reviews, and functions that read a store, for the checks.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use hitl_core::{
    Digest, Place, ThreadId, Timestamp,
    store::{Append, OpenReview, Record, Store, StoreError, ThreadStatus},
};

/// Returns a name that no run has used before.
pub(super) fn name(check: &str) -> ThreadId {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    named(&format!("{check} {nanos:x}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
}

#[track_caller]
pub(super) fn named(name: &str) -> ThreadId {
    // `existing` and not `new`, because a store must also keep the names of old threads.
    ThreadId::existing(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(super) fn entry(place: u64, text: &str) -> Record {
    let body = format!(r#"{{"place": {place}, "text": {text:?}}}"#).into_bytes();
    Record::new(place, Digest::of(&body), body)
}

pub(super) fn entries(thread: &ThreadId, places: std::ops::Range<u64>) -> Append {
    let after = places.start.checked_sub(1).map(|place| entry(place, thread.as_str()).hash);
    let records = places.map(|place| entry(place, thread.as_str())).collect();
    Append::new(thread.clone(), records, ThreadStatus::Running).with_after(after)
}

pub(super) fn review(thread: &ThreadId, place: u64, opened: u64) -> OpenReview {
    OpenReview::new(
        thread.clone(),
        "Conformance",
        "execute",
        Digest::of(format!("{thread} {place}").as_bytes()),
        place,
        Timestamp::from_millis(opened),
    )
}

pub(super) fn key(review: &OpenReview) -> (ThreadId, Place, Timestamp) {
    (review.thread.clone(), review.place, review.opened)
}

/// Returns every open review of these threads, over all pages.
pub(super) async fn reviews_of(store: &impl Store, threads: &[&ThreadId], limit: usize) -> Vec<OpenReview> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = ok("a page of reviews", store.reviews(after.as_deref(), limit).await);
        assert!(
            page.items.len() <= limit.max(1),
            "a page of at most {limit} reviews has {}",
            page.items.len()
        );
        all.extend(page.items.into_iter().filter(|review| threads.contains(&&review.thread)));
        match page.next {
            Some(next) => assert!(
                after.replace(next) != after,
                "the token of the next page of reviews is the token of this page"
            ),
            None => return all,
        }
    }
}

/// Returns those of these threads that have this status, over all pages.
pub(super) async fn standings(
    store: &impl Store,
    standing: Option<ThreadStatus>,
    threads: &[&ThreadId],
    limit: usize,
) -> Vec<(ThreadId, ThreadStatus)> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = ok("a page of threads", store.threads(standing, after.as_deref(), limit).await);
        assert!(
            page.items.len() <= limit.max(1),
            "a page of at most {limit} threads has {}",
            page.items.len()
        );
        all.extend(page.items.into_iter().filter(|(thread, _)| threads.contains(&thread)));
        match page.next {
            Some(next) => assert!(
                after.replace(next) != after,
                "the token of the next page of threads is the token of this page"
            ),
            None => return all,
        }
    }
}

/// Returns those of these threads that are due by this time, over all pages.
pub(super) async fn due(store: &impl Store, by: u64, threads: &[&ThreadId], limit: usize) -> Vec<ThreadId> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page =
            ok("a page of due threads", store.due(Timestamp::from_millis(by), after.as_deref(), limit).await);
        assert!(
            page.items.len() <= limit.max(1),
            "a page of at most {limit} threads has {}",
            page.items.len()
        );
        all.extend(page.items.into_iter().filter(|thread| threads.contains(&thread)));
        match page.next {
            Some(next) => {
                assert!(
                    after.replace(next) != after,
                    "the token of the next page of due threads is the token of this page"
                )
            }
            None => return all,
        }
    }
}

pub(super) async fn delete(store: &impl Store, threads: &[ThreadId]) {
    for thread in threads {
        ok("delete", store.delete(thread).await);
    }
}

#[track_caller]
pub(super) fn ok<T>(what: &str, answer: Result<T, StoreError>) -> T {
    answer.unwrap_or_else(|error| panic!("{what}: {error}"))
}

#[track_caller]
pub(super) fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) {
    assert!(found == expected, "{what}:\n   found {found:?}\nexpected {expected:?}");
}
