//! What every store must do, for whoever writes one.
//!
//! Give [`all`] a way to open the store, as often as it asks, onto the same data. It panics with a sentence at the
//! first promise of [`Store`] that is not kept.
//!
//! ```
//! use hitl::store::{MemoryStore, conformance};
//!
//! # #[tokio::main]
//! # async fn main() {
//! let store = MemoryStore::new();
//! conformance::all(async || store.clone()).await;
//! # }
//! ```
//!
//! It needs a tokio runtime, best one of several threads. Every thread that it makes has a name that was never used
//! before, so a table that is kept between runs will do, as long as nobody else writes to it meanwhile; what it made
//! it deletes, unless it has panicked.
//!
//! # More than one process
//!
//! A store that several processes can open owes two things that one process cannot show. Both need a test program
//! that starts itself again as a child:
//!
//! - **A race.** Each child opens the store, calls [`contend`] with its own name and the same thread, and prints what
//!   it returns: the places that it filled. The parent adds them up: each place once, none missing; and [`whole`]
//!   must agree.
//! - **A crash.** A child calls [`append_until_killed`] and prints each place as it is acknowledged. The parent kills
//!   it after some lines, opens the store, and calls [`after_crash`] with the last place that it has read.
//!
//! ```
//! use hitl::{ThreadId, store::{MemoryStore, conformance}};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), hitl::InvalidThreadId> {
//! # let store = MemoryStore::new();
//! let thread = ThreadId::new("the prize")?;
//! let filled = conformance::contend(&store, &thread, "child 1", 100).await;
//! assert_eq!(filled, (0..100).collect::<Vec<_>>());
//! assert_eq!(conformance::whole(&store, &thread).await.len(), 100);
//! # Ok(())
//! # }
//! ```
//!
//! The children of this crate's own tests are in `tests/store_sqlite.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Append, OpenReview, Place, Record, Standing, Store, StoreError};
use crate::{Digest, ThreadId};

/// Every check of this module that one process can make, one after the other.
///
/// ```
/// # #[tokio::main]
/// # async fn main() {
/// let store = hitl::store::MemoryStore::new();
/// hitl::store::conformance::all(async || store.clone()).await;
/// # }
/// ```
///
/// # Panics
/// When a promise is not kept.
pub async fn all<S: Store>(open: impl AsyncFn() -> S) {
    unknown(&open).await;
    order(&open).await;
    fence(&open).await;
    refusals(&open).await;
    tails(&open).await;
    isolation(&open).await;
    names(&open).await;
    sizes(&open).await;
    review_index(&open).await;
    review_pages(&open).await;
    thread_pages(&open).await;
    page_tokens(&open).await;
    deletion(&open).await;
    reopening(&open).await;
    race(&open).await;
    readers_and_writers(&open).await;
    crowd(&open).await;
    dropped_futures(&open).await;
}

/// A thread that nobody made has nothing, and can be deleted.
///
/// # Panics
/// When the promise is not kept.
pub async fn unknown<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("unknown");
    same("the tail of an unknown thread", &ok("tail", store.tail(&thread).await), &None);
    same("the entries of an unknown thread", &ok("entries", store.entries(&thread, 0, 10).await), &vec![]);
    ok("delete an unknown thread", store.delete(&thread).await);
}

/// Entries come back as they were given, in order, from any place on, never more than were asked for.
///
/// # Panics
/// When the promise is not kept.
pub async fn order<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("order");
    let mut written = Vec::new();
    for count in [1, 3, 1, 7, 2, 40, 1] {
        let from = written.len() as Place;
        let mut append = entries(&thread, from..from + count);
        append.records.iter_mut().for_each(|record| record.snapshot = record.place % 5 == 2);
        written.extend(append.records.clone());
        ok("append", store.append(append).await);
    }
    for from in [0, 1, 20, 54, 55, 56, u64::MAX] {
        for limit in [0, 1, 7, 55, usize::MAX] {
            let what = format!("at most {limit} entries from {from} on");
            let read = ok(&what, store.entries(&thread, from, limit).await);
            let start = usize::try_from(from).map_or(written.len(), |from| from.min(written.len()));
            let fit = limit.min(written.len() - start);
            assert!(read.len() <= fit, "{what}: {} came", read.len());
            assert!(fit == 0 || !read.is_empty(), "{what}: none came, and only the end is empty");
            same(&what, &read, &written[start..start + read.len()].to_vec());
        }
    }
    same("the whole journal", &whole(&store, &thread).await, &written);
    ok("delete", store.delete(&thread).await);
}

/// An append fills the next place and no other; a loser changes nothing.
///
/// # Panics
/// When the promise is not kept.
pub async fn fence<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("fence");
    let try_at = async |place: Place, count: u64| {
        let mut append = entries(&thread, place..place + count);
        append
            .records
            .iter_mut()
            .for_each(|record| *record = Record { snapshot: true, ..entry(record.place, "loser") });
        append.standing = Standing::Failed;
        append.reviews = vec![review(&thread, place, 7)];
        match store.append(append).await {
            Err(StoreError::Taken { thread: of, place: at }) => {
                same("the thread and the place that were taken", &(of, at), &(thread.clone(), place));
            }
            other => panic!("an append at place {place} must be `Taken` and was {other:?}"),
        }
    };
    try_at(1, 1).await;
    try_at(7, 2).await;
    same("the tail after appends past a missing head", &ok("tail", store.tail(&thread).await), &None);

    ok("append", store.append(entries(&thread, 0..3)).await);
    for (place, count) in [(0, 1), (1, 1), (2, 1), (2, 2), (0, 5), (4, 1), (9, 3)] {
        try_at(place, count).await;
    }
    same("the journal after the losers", &whole(&store, &thread).await, &entries(&thread, 0..3).records);
    same("the open reviews after the losers", &reviews_of(&store, &[&thread], 10).await, &vec![]);
    same(
        "the standing after the losers",
        &standings(&store, None, &[&thread], 10).await,
        &vec![(thread.clone(), Standing::Running)],
    );
    ok("append", store.append(entries(&thread, 3..4)).await);
    ok("delete", store.delete(&thread).await);
}

/// What [`Append::check`] refuses is refused, and changes nothing.
///
/// # Panics
/// When the promise is not kept.
pub async fn refusals<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let (thread, other) = (name("refusals"), name("refusals, another"));
    ok("append", store.append(entries(&thread, 0..2)).await);
    let next = entries(&thread, 2..5);
    let with = |review: OpenReview| Append { reviews: vec![review], ..next.clone() };
    let bad = [
        ("no entry", Append { records: vec![], ..next.clone() }),
        ("a gap", Append { records: vec![entry(2, ""), entry(4, "")], ..next.clone() }),
        ("a place twice", Append { records: vec![entry(2, ""), entry(2, "")], ..next.clone() }),
        ("places backwards", Append { records: vec![entry(2, ""), entry(1, "")], ..next.clone() }),
        ("a place beyond i64::MAX", entries(&thread, (1 << 63)..(1 << 63) + 1)),
        ("a review of another thread", with(review(&other, 2, 0))),
        ("a time beyond i64::MAX", with(OpenReview { opened_ms: u64::MAX, ..review(&thread, 2, 0) })),
        (
            "a deadline beyond i64::MAX",
            with(OpenReview { deadline_ms: Some(1 << 63), ..review(&thread, 2, 0) }),
        ),
    ];
    for (what, append) in bad {
        let answer = store.append(append).await;
        assert!(matches!(answer, Err(StoreError::BadAppend { .. })), "an append with {what} was {answer:?}");
    }
    same("the journal after the refusals", &whole(&store, &thread).await.len(), &2);
    same("the open reviews after the refusals", &reviews_of(&store, &[&thread], 10).await, &vec![]);
    ok("append", store.append(next).await);
    ok("delete", store.delete(&thread).await);
}

/// The tail starts with the last snapshot, wherever in an append that stood.
///
/// # Panics
/// When the promise is not kept.
pub async fn tails<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("tails");
    let steps: [(u64, &[Place], Place); 8] = [
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
        let head = written.len() as Place;
        let mut append = entries(&thread, head..head + count);
        append.records.iter_mut().for_each(|record| record.snapshot = snapshots.contains(&record.place));
        written.extend(append.records.clone());
        ok("append", store.append(append).await);
        let tail = ok("tail", store.tail(&thread).await).map(|tail| tail.records);
        same(
            "the tail",
            &tail,
            &Some(written.iter().filter(|record| record.place >= from).cloned().collect()),
        );
    }
    ok("delete", store.delete(&thread).await);
}

/// What is done to one thread is not seen in another, be their names ever so alike.
///
/// # Panics
/// When the promise is not kept.
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
            append.records = vec![entry(round, &format!("{thread}, the {i}th"))];
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
        same("the journal of one of many", &ok("entries", store.entries(thread, 0, 10).await), &expected);
    }
    let left: Vec<_> = threads.iter().collect();
    let open: BTreeSet<_> =
        reviews_of(&store, &left, 100).await.into_iter().map(|review| review.thread).collect();
    same("whose reviews are open", &open.len(), &(threads.len() - 2));
    delete(&store, &threads).await;
}

/// A thread's name is kept to the byte.
///
/// # Panics
/// When the promise is not kept.
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
        same("the journal", &whole(&store, thread).await, &entries(thread, 0..2).records);
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

/// Bodies come back to the byte, from none at all to several megabytes.
///
/// A store that cannot keep a body must refuse it with an error and write nothing; one of 300,000 bytes must fit.
///
/// # Panics
/// When the promise is not kept.
pub async fn sizes<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("sizes");
    let mut place = 0;
    for size in [0, 1, 255, 256, 4_000, 4_096, 70_000, 300_000, 1_000_000, 5_000_000] {
        // Every byte there is, and no pattern that a compressor would hide behind.
        let body: Vec<u8> = (0..size).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let record = Record { place, hash: Digest::of(&body), body, snapshot: true };
        let append = Append { records: vec![record.clone()], ..entries(&thread, 0..1) };
        match store.append(append).await {
            Ok(()) => place += 1,
            Err(error) if size > 300_000 => {
                assert!(!matches!(error, StoreError::Taken { .. }), "a body of {size} bytes was `Taken`");
                continue;
            }
            Err(error) => panic!("a body of {size} bytes was refused: {error}"),
        }
        let tail = ok("tail", store.tail(&thread).await).map(|tail| tail.records);
        assert!(tail == Some(vec![record]), "a body of {size} bytes came back as another");
    }
    same("the journal's length", &(whole(&store, &thread).await.len() as Place), &place);
    ok("delete", store.delete(&thread).await);
}

/// The index says of a thread what the last append said, whole and to the byte.
///
/// # Panics
/// When the promise is not kept.
pub async fn review_index<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("review index");
    let full = OpenReview {
        thread: thread.clone(),
        graph: "Gräph \"1\"".into(),
        node: "éxecute '2'".into(),
        digest: Digest::of(b"full"),
        role: Some(String::new()),
        place: i64::MAX as u64,
        opened_ms: 0,
        deadline_ms: Some(i64::MAX as u64),
    };
    let bare = OpenReview {
        role: None,
        deadline_ms: None,
        digest: Digest::of(b"bare"),
        opened_ms: 1,
        ..full.clone()
    };
    // Two items of one list may ask for the same thing at the same node, at the same place.
    let twin = OpenReview { digest: Digest::of(b"twin"), opened_ms: 2, ..bare.clone() };
    let steps = [
        vec![],
        vec![full.clone()],
        vec![full.clone(), bare.clone()],
        vec![twin.clone(), full.clone(), bare.clone()],
        vec![twin.clone(), full.clone()],
        vec![bare],
        vec![twin, full],
        vec![],
    ];
    for (place, mut reviews) in steps.into_iter().enumerate() {
        let place = place as Place;
        ok(
            "append",
            store.append(Append { reviews: reviews.clone(), ..entries(&thread, place..place + 1) }).await,
        );
        reviews.sort_by_key(|review| review.opened_ms);
        same("the open reviews", &reviews_of(&store, &[&thread], 2).await, &reviews);
    }
    ok("delete", store.delete(&thread).await);
}

/// The open reviews come oldest first, each once, in pages of any size, though others come and go meanwhile.
///
/// # Panics
/// When the promise is not kept.
pub async fn review_pages<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let base = name("review pages");
    let threads: Vec<_> = (0..40).map(|i| named(&format!("{base}-{i}"))).collect();
    for (i, thread) in (0..).zip(&threads) {
        let mut append = entries(thread, 0..1);
        // Out of order, many at the same time, and some threads with several.
        append.reviews = (0..=i % 3).map(|n| review(thread, n, 1_000 + (i * 7 + n) % 11)).collect();
        ok("append", store.append(append).await);
    }
    let of: Vec<_> = threads.iter().collect();
    let everything: BTreeSet<_> = reviews_of(&store, &of, 1_000).await.iter().map(key).collect();
    same("how many reviews are open", &everything.len(), &(0..40).map(|i| i % 3 + 1).sum());
    for limit in [0, 1, 2, 7, 79, 80] {
        let listed = reviews_of(&store, &of, limit).await;
        assert!(
            listed.is_sorted_by_key(|review| review.opened_ms),
            "pages of {limit}: the oldest must come first"
        );
        same("the reviews over all pages", &listed.len(), &everything.len());
        same("the reviews over all pages", &listed.iter().map(key).collect(), &everything);
    }

    // One thread of each four is decided as we go, one gets a second entry that leaves its reviews as they are, one
    // gets another review beside those.
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    for turn in 0.. {
        let page = ok("a page of reviews", store.reviews(after.as_deref(), 3).await);
        seen.extend(
            page.items.into_iter().filter(|review| of.contains(&&review.thread)).map(|review| key(&review)),
        );
        if let Some(thread) = threads.get(turn) {
            let mut append = entries(thread, 1..2);
            let at = turn as u64;
            append.reviews = (0..=at % 3).map(|n| review(thread, n, 1_000 + (at * 7 + n) % 11)).collect();
            match turn % 4 {
                0 => append.reviews.clear(),
                1 => append.reviews.push(review(thread, 9, 5_000)),
                _ => {}
            }
            ok("append", store.append(append).await);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let once: BTreeSet<_> = seen.iter().cloned().collect();
    same("no review was seen twice", &seen.len(), &once.len());
    for review in everything
        .iter()
        .filter(|(thread, ..)| threads.iter().position(|t| t == thread).is_some_and(|i| i % 4 != 0))
    {
        assert!(once.contains(review), "the review {review:?} stayed open and was on no page");
    }
    delete(&store, &threads).await;
}

/// The threads come in the order of their names' bytes, under the standing that they have now.
///
/// # Panics
/// When the promise is not kept.
pub async fn thread_pages<S: Store>(open: impl AsyncFn() -> S) {
    const ALL: [Standing; 5] =
        [Standing::Running, Standing::Waiting, Standing::InDoubt, Standing::Failed, Standing::Ended];
    let store = open().await;
    let base = name("thread pages");
    let threads: Vec<_> = (0..30).map(|i| named(&format!("{base}-{}", i * 37 % 30))).collect();
    let of: Vec<_> = threads.iter().collect();
    for round in 0..3 {
        let mut expected = BTreeMap::new();
        for (i, thread) in threads.iter().enumerate() {
            let standing = ALL[(i + round * (i % 2)) % ALL.len()];
            let round = round as Place;
            ok("append", store.append(Append { standing, ..entries(thread, round..round + 1) }).await);
            expected.insert(thread.clone(), standing);
        }
        for limit in [0, 1, 4, 30, 31] {
            let listed = standings(&store, None, &of, limit).await;
            same("the threads", &listed, &expected.clone().into_iter().collect());
            for standing in ALL {
                let listed = standings(&store, Some(standing), &of, limit).await;
                let some = expected.clone().into_iter().filter(|(_, found)| *found == standing).collect();
                same(&format!("the threads that stand {}", standing.as_str()), &listed, &some);
            }
        }
    }
    delete(&store, &threads).await;
}

/// A page token that this list did not give is refused.
///
/// # Panics
/// When the promise is not kept.
pub async fn page_tokens<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    for token in ["", " ", "0", "page 2", "\0", "null", "../..", "'; --", "🙈", &"x".repeat(5_000)] {
        let answer = store.reviews(Some(token), 10).await;
        assert!(matches!(answer, Err(StoreError::BadPage(_))), "reviews after `{token:.9}`: {answer:?}");
        let answer = store.threads(None, Some(token), 10).await;
        assert!(matches!(answer, Err(StoreError::BadPage(_))), "threads after `{token:.9}`: {answer:?}");
    }
    let threads = [name("page tokens 1"), name("page tokens 2")];
    for thread in &threads {
        let reviews = vec![review(thread, 0, 0)];
        ok("append", store.append(Append { reviews, ..entries(thread, 0..1) }).await);
    }
    let of_reviews = ok("reviews", store.reviews(None, 1).await).next;
    let of_threads = ok("threads", store.threads(None, None, 1).await).next;
    assert!(
        of_reviews.is_some() && of_threads.is_some(),
        "two items and pages of one: there must be a next page"
    );
    let answer = store.threads(None, of_reviews.as_deref(), 1).await;
    assert!(matches!(answer, Err(StoreError::BadPage(_))), "threads after a page of reviews: {answer:?}");
    let answer = store.reviews(of_threads.as_deref(), 1).await;
    assert!(matches!(answer, Err(StoreError::BadPage(_))), "reviews after a page of threads: {answer:?}");
    delete(&store, &threads).await;
}

/// A deleted thread is gone from everywhere, and its name is free.
///
/// # Panics
/// When the promise is not kept.
pub async fn deletion<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let threads = [name("deletion 1"), name("deletion 2"), name("deletion 3")];
    let of: Vec<_> = threads.iter().collect();
    for thread in &threads {
        let reviews = vec![review(thread, 1, 5), review(thread, 2, 6)];
        ok("append", store.append(Append { reviews, ..entries(thread, 0..100) }).await);
    }
    let [gone, ..] = &threads;
    ok("delete", store.delete(gone).await);
    ok("delete again", store.delete(gone).await);
    same("its tail", &ok("tail", store.tail(gone).await), &None);
    same("its entries", &ok("entries", store.entries(gone, 0, 10).await), &vec![]);
    same("the others' reviews", &reviews_of(&store, &of, 10).await.len(), &4);
    same("the others", &standings(&store, None, &of, 10).await.len(), &2);
    let answer = store.append(entries(gone, 100..101)).await;
    assert!(matches!(answer, Err(StoreError::Taken { .. })), "a deleted thread was continued: {answer:?}");
    let again = Append { standing: Standing::Ended, ..entries(gone, 0..2) };
    ok("start it again", store.append(again).await);
    same("the new journal", &whole(&store, gone).await, &entries(gone, 0..2).records);
    same("the new one's reviews", &reviews_of(&store, &[gone], 10).await, &vec![]);
    for thread in &threads[1..] {
        same("another's journal", &whole(&store, thread).await, &entries(thread, 0..100).records);
    }
    delete(&store, &threads).await;
}

/// What was appended through one handle is there for another one at once, and after all of them were closed.
///
/// # Panics
/// When the promise is not kept.
pub async fn reopening<S: Store>(open: impl AsyncFn() -> S) {
    let thread = name("reopening");
    let mut first = open().await;
    for place in 0..20 {
        let second = open().await;
        let reviews = vec![review(&thread, place, place)];
        ok(
            "append",
            first.append(Append { reviews: reviews.clone(), ..entries(&thread, place..place + 1) }).await,
        );
        same("the journal", &whole(&second, &thread).await, &entries(&thread, 0..place + 1).records);
        same("the reviews", &reviews_of(&second, &[&thread], 10).await, &reviews);
        let answer = second.append(entries(&thread, place..place + 1)).await;
        assert!(
            matches!(answer, Err(StoreError::Taken { .. })),
            "a place was filled through two handles: {answer:?}"
        );
        first = second;
    }
    drop(first);
    let again = open().await;
    same("the journal", &whole(&again, &thread).await, &entries(&thread, 0..20).records);
    ok("delete", again.delete(&thread).await);
    same("its tail", &ok("tail", open().await.tail(&thread).await), &None);
}

/// Many tasks race for every place of one journal: each is filled once, none is left out, and everyone is told.
///
/// # Panics
/// When the promise is not kept.
pub async fn race<S: Store>(open: impl AsyncFn() -> S) {
    const PLACES: Place = 60;
    let thread = name("race");
    let stores = [Arc::new(open().await), Arc::new(open().await)];
    let racers: Vec<_> = (0..16)
        .map(|racer| {
            let (store, thread) = (Arc::clone(&stores[racer % 2]), thread.clone());
            tokio::spawn(async move { contend(&*store, &thread, &format!("racer {racer}"), PLACES).await })
        })
        .collect();
    let mut winners = BTreeMap::new();
    for (racer, task) in racers.into_iter().enumerate() {
        for place in task.await.unwrap_or_else(|error| panic!("racer {racer}: {error}")) {
            let before = winners.insert(place, racer);
            assert!(before.is_none(), "place {place} was won by racer {racer} and by {before:?}");
        }
    }
    same("the places that were won", &winners.keys().copied().collect::<Vec<_>>(), &(0..PLACES).collect());
    for record in whole(&*stores[0], &thread).await {
        let winner = format!("racer {}", winners[&record.place]);
        same(
            "whose entry it is",
            &record,
            &Record { snapshot: record.snapshot, ..entry(record.place, &winner) },
        );
    }
    ok("delete", stores[0].delete(&thread).await);
}

/// Whoever reads while others write sees a journal as it was at one moment.
///
/// # Panics
/// When the promise is not kept.
pub async fn readers_and_writers<S: Store>(open: impl AsyncFn() -> S) {
    const APPENDS: u64 = 60;
    let store = Arc::new(open().await);
    let thread = name("readers and writers");
    let writer = tokio::spawn({
        let (store, thread) = (Arc::clone(&store), thread.clone());
        async move {
            for i in 0..APPENDS {
                // Three entries, of which the second is a snapshot, and one review at the last place.
                let mut append = entries(&thread, i * 3..i * 3 + 3);
                append.records[1].snapshot = true;
                append.reviews = vec![review(&thread, i * 3 + 2, i)];
                ok("append", store.append(append).await);
            }
        }
    });
    let mut head = 0;
    while head < APPENDS * 3 {
        let finished = writer.is_finished();
        if let Some(tail) = ok("tail", store.tail(&thread).await) {
            let places: Vec<_> = tail.records.iter().map(|record| record.place).collect();
            assert!(
                places.len() == 2 && places[0] % 3 == 1,
                "a tail of another shape than was written: {places:?}"
            );
            assert!(places[1] + 1 >= head, "a head that went back from {head}: {places:?}");
            head = places[1] + 1;
        }
        let open = reviews_of(&*store, &[&thread], 10).await.len();
        assert!(open > 0 || head == 0, "no review is open, and each append opens one when it closes one");
        let length = ok("entries", store.entries(&thread, 0, usize::MAX).await).len();
        assert!(length.is_multiple_of(3), "{length} entries, and three were written at a time");
        assert!(!finished || head == APPENDS * 3, "the writer has ended, and the head is {head}");
        tokio::task::yield_now().await;
    }
    writer.await.unwrap_or_else(|error| panic!("the writer: {error}"));
    ok("delete", store.delete(&thread).await);
}

/// Many tasks write to many threads; a loser among them hurts nobody else.
///
/// # Panics
/// When the promise is not kept.
pub async fn crowd<S: Store>(open: impl AsyncFn() -> S) {
    let store = Arc::new(open().await);
    let base = name("crowd");
    let threads: Vec<_> = (0..64).map(|i| named(&format!("{base}-{i}"))).collect();
    let tasks: Vec<_> = threads
        .iter()
        .cloned()
        .enumerate()
        .map(|(i, thread)| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for place in 0..20 {
                    if i % 3 == 0 {
                        let answer = store.append(entries(&thread, place + 1..place + 2)).await;
                        assert!(matches!(answer, Err(StoreError::Taken { .. })), "past the head: {answer:?}");
                    }
                    let reviews = vec![review(&thread, place, place)];
                    ok(
                        "append",
                        store.append(Append { reviews, ..entries(&thread, place..place + 1) }).await,
                    );
                    if i % 16 == 5 && place == 9 {
                        ok("delete", store.delete(&thread).await);
                        ok("append", store.append(entries(&thread, 0..10)).await);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap_or_else(|error| panic!("one of a crowd: {error}"));
    }
    for thread in &threads {
        same("the journal of one of a crowd", &whole(&*store, thread).await, &entries(thread, 0..20).records);
    }
    let of: Vec<_> = threads.iter().collect();
    same("the crowd's reviews", &reviews_of(&*store, &of, 10).await.len(), &threads.len());
    delete(&*store, &threads).await;
}

/// An append whose future is dropped has happened whole or not at all.
///
/// # Panics
/// When the promise is not kept.
pub async fn dropped_futures<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("dropped futures");
    for polls in 0..90 {
        let next = whole(&store, &thread).await.len() as Place;
        assert!(next.is_multiple_of(3), "{next} entries, and three were written at a time");
        let mut append = store.append(entries(&thread, next..next + 3));
        for _ in 0..polls % 4 {
            if poll_fn(|context| Poll::Ready(append.as_mut().poll(context).is_ready())).await {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(append);
    }
    // The last one may still be on its way; whoever asks again gets a clear answer.
    loop {
        let next = whole(&store, &thread).await.len() as Place;
        match store.append(entries(&thread, next..next + 3)).await {
            Ok(()) => break,
            Err(StoreError::Taken { .. }) => {}
            Err(error) => panic!("append after dropped futures: {error}"),
        }
    }
    let length = whole(&store, &thread).await.len();
    assert!(length.is_multiple_of(3), "{length} entries, and three were written at a time");
    ok("delete", store.delete(&thread).await);
}

/// Races for every place of a journal up to `places`, and tells which ones were won. For many tasks, and for
/// [many processes](self#more-than-one-process).
///
/// # Panics
/// When an append fails in any other way than that its place is taken.
pub async fn contend(store: &impl Store, thread: &ThreadId, name: &str, places: Place) -> Vec<Place> {
    let mut won = Vec::new();
    loop {
        let tail = ok("tail", store.tail(thread).await).unwrap_or_default();
        let place = tail.records.last().map_or(0, |record| record.place + 1);
        if place >= places {
            return won;
        }
        let record = Record { snapshot: place % 10 == 9, ..entry(place, name) };
        match store.append(Append { records: vec![record], ..entries(thread, 0..1) }).await {
            Ok(()) => won.push(place),
            Err(StoreError::Taken { thread: of, place: at }) if of == *thread && at == place => {}
            Err(error) => panic!("{name} at place {place}: {error}"),
        }
    }
}

/// Appends until the process is killed, three entries at a time, and tells the last place of each three once it is
/// acknowledged. It returns only with the error that stopped it. See [the crash](self#more-than-one-process).
///
/// ```no_run
/// # async fn child(store: hitl::store::MemoryStore, thread: hitl::ThreadId) {
/// use hitl::store::conformance;
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
    for i in 0.. {
        let mut append = entries(thread, i * 3..i * 3 + 3);
        append.records[0].snapshot = i % 7 == 0;
        append.reviews = vec![review(thread, i * 3 + 2, i)];
        match store.append(append).await {
            Ok(()) => acknowledged(i * 3 + 2),
            Err(error) => return error,
        }
    }
    unreachable!("a journal has no last place")
}

/// After a process that ran [`append_until_killed`] was killed: what was acknowledged is there, nothing is there by
/// halves, and the thread can go on.
///
/// # Panics
/// When a promise is not kept.
pub async fn after_crash(store: &impl Store, thread: &ThreadId, last_acknowledged: Option<Place>) {
    let records = whole(store, thread).await;
    let length = records.len() as Place;
    let acknowledged = last_acknowledged.map_or(0, |place| place + 1);
    assert!(length >= acknowledged, "{acknowledged} entries were acknowledged, and {length} are there");
    assert!(length.is_multiple_of(3), "{length} entries, and three were written at a time");
    let written = entries(thread, 0..length).records;
    let written = written.into_iter().map(|record| Record { snapshot: record.place % 21 == 0, ..record });
    same("the journal after the crash", &records, &written.collect());
    let open: Vec<_> = reviews_of(store, &[thread], 10).await.iter().map(|review| review.place + 1).collect();
    same(
        "the index after the crash",
        &open,
        &Some(length).filter(|length| *length > 0).into_iter().collect(),
    );
    ok("append after the crash", store.append(entries(thread, length..length + 1)).await);
    same("the length", &(whole(store, thread).await.len() as Place), &(length + 1));
}

/// A thread's whole journal, read page by page, after seeing that it has no gap, that every body has its hash, and
/// that the tail is its end. For journals of this module, whose hashes are of the body alone.
///
/// # Panics
/// When it is not whole.
pub async fn whole(store: &impl Store, thread: &ThreadId) -> Vec<Record> {
    // The tail first: the journal may grow while it is read.
    let tail = ok("tail", store.tail(thread).await);
    let mut records = Vec::new();
    loop {
        let page = ok("entries", store.entries(thread, records.len() as Place, 25).await);
        if page.is_empty() {
            break;
        }
        records.extend(page);
    }
    for (place, record) in (0..).zip(&records) {
        assert!(record.place == place, "place {} of `{thread}` stands where {place} should", record.place);
        assert!(
            record.hash == Digest::of(&record.body),
            "place {place} of `{thread}` has another body than its hash"
        );
    }
    if let Some(tail) = tail {
        let (first, last) = match tail.records.as_slice() {
            [first, .., last] => (first, last),
            [only] => (only, only),
            [] => panic!("the tail of `{thread}` is empty, and the thread exists"),
        };
        let there = usize::try_from(first.place).ok().zip(usize::try_from(last.place).ok());
        let part = there.and_then(|(first, last)| records.get(first..=last));
        assert!(part == Some(&tail.records), "the tail of `{thread}` is no part of its journal");
        assert!(first.place == 0 || first.snapshot, "the tail of `{thread}` starts with no snapshot");
        assert!(
            !tail.records[1..].iter().any(|record| record.snapshot),
            "the tail of `{thread}` starts too early"
        );
    }
    records
}

/// A name that no run has used before.
fn name(check: &str) -> ThreadId {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    named(&format!("{check} {nanos:x}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
}

#[track_caller]
fn named(name: &str) -> ThreadId {
    ThreadId::new(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn entry(place: Place, text: &str) -> Record {
    let body = format!(r#"{{"place": {place}, "text": {text:?}}}"#).into_bytes();
    Record { place, hash: Digest::of(&body), body, snapshot: false }
}

fn entries(thread: &ThreadId, places: std::ops::Range<Place>) -> Append {
    let records = places.map(|place| entry(place, thread.as_str())).collect();
    Append { thread: thread.clone(), records, standing: Standing::Running, reviews: vec![] }
}

fn review(thread: &ThreadId, place: Place, opened_ms: u64) -> OpenReview {
    OpenReview {
        thread: thread.clone(),
        graph: "Conformance".into(),
        node: "execute".into(),
        digest: Digest::of(format!("{thread} {place}").as_bytes()),
        role: None,
        place,
        opened_ms,
        deadline_ms: None,
    }
}

fn key(review: &OpenReview) -> (ThreadId, Place, u64) {
    (review.thread.clone(), review.place, review.opened_ms)
}

/// Every open review of some threads, over all pages.
async fn reviews_of(store: &impl Store, threads: &[&ThreadId], limit: usize) -> Vec<OpenReview> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = ok("a page of reviews", store.reviews(after.as_deref(), limit).await);
        assert!(page.items.len() <= limit.max(1), "{} reviews on a page of {limit}", page.items.len());
        all.extend(page.items.into_iter().filter(|review| threads.contains(&&review.thread)));
        match page.next {
            Some(next) => assert!(after.replace(next) != after, "the next page of reviews is the same page"),
            None => return all,
        }
    }
}

/// Some of the threads that stand thus, over all pages.
async fn standings(
    store: &impl Store,
    standing: Option<Standing>,
    threads: &[&ThreadId],
    limit: usize,
) -> Vec<(ThreadId, Standing)> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = ok("a page of threads", store.threads(standing, after.as_deref(), limit).await);
        assert!(page.items.len() <= limit.max(1), "{} threads on a page of {limit}", page.items.len());
        all.extend(page.items.into_iter().filter(|(thread, _)| threads.contains(&thread)));
        match page.next {
            Some(next) => assert!(after.replace(next) != after, "the next page of threads is the same page"),
            None => return all,
        }
    }
}

async fn delete(store: &impl Store, threads: &[ThreadId]) {
    for thread in threads {
        ok("delete", store.delete(thread).await);
    }
}

#[track_caller]
fn ok<T>(what: &str, answer: Result<T, StoreError>) -> T {
    answer.unwrap_or_else(|error| panic!("{what}: {error}"))
}

#[track_caller]
fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) {
    assert!(found == expected, "{what}:\n   found {found:?}\nexpected {expected:?}");
}
