//! Checks of the index: open reviews, status and due times, page by page.

use std::collections::{BTreeMap, BTreeSet};

use hitl_core::{
    Digest, Timestamp,
    store::{OpenReview, Store, StoreError, ThreadStatus},
};

use super::samples::{delete, due, entries, key, name, named, ok, review, reviews_of, same, standings};

/// Checks that the index contains exactly the data of a thread's last append.
///
/// # Panics
/// If the promise is not kept.
pub async fn review_index<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("review index");
    let review = |digest: &str, opened| {
        let (graph, node) = ("Gräph \"1\"", "éxecute '2'");
        let digest = Digest::of(digest.as_bytes());
        OpenReview::new(thread.clone(), graph, node, digest, i64::MAX as u64, Timestamp::from_millis(opened))
    };
    let full = review("full", 0)
        .with_role(Some(String::new()))
        .with_deadline(Some(Timestamp::from_millis(i64::MAX as u64)));
    let bare = review("bare", 1);
    // Two items of one list may open the same review at the same node and the same place.
    let twin = review("twin", 2);
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
        let place = place as u64;
        ok("append", store.append(entries(&thread, place..place + 1).with_reviews(reviews.clone())).await);
        reviews.sort_by_key(|review| review.opened);
        same("the open reviews", &reviews_of(&store, &[&thread], 2).await, &reviews);
    }
    ok("delete", store.delete(&thread).await);
}

/// Checks that open reviews are listed oldest first, each once, in pages of any size, despite concurrent changes.
///
/// # Panics
/// If the promise is not kept.
pub async fn review_pages<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let base = name("review pages");
    let threads: Vec<_> = (0..40).map(|i| named(&format!("{base}-{i}"))).collect();
    for (i, thread) in (0..).zip(&threads) {
        let mut append = entries(thread, 0..1);
        // Opening times are unordered and often equal, and some threads have several reviews.
        append.reviews = (0..=i % 3).map(|n| review(thread, n, 1_000 + (i * 7 + n) % 11)).collect();
        ok("append", store.append(append).await);
    }
    let of: Vec<_> = threads.iter().collect();
    let everything: BTreeSet<_> = reviews_of(&store, &of, 1_000).await.iter().map(key).collect();
    same("the number of open reviews", &everything.len(), &(0..40).map(|i| i % 3 + 1).sum());
    for limit in [0, 1, 2, 7, 79, 80] {
        let listed = reviews_of(&store, &of, limit).await;
        assert!(
            listed.is_sorted_by_key(|review| review.opened),
            "the reviews in pages of {limit} must be listed oldest first"
        );
        same("the number of reviews over all pages", &listed.len(), &everything.len());
        same("the reviews over all pages", &listed.iter().map(key).collect(), &everything);
    }

    // Of every four threads, one is decided while the pages are read, one gets a further review, and two get an entry
    // that leaves their reviews unchanged.
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
    same("the number of reviews over all pages, of which none may be listed twice", &seen.len(), &once.len());
    for review in everything
        .iter()
        .filter(|(thread, ..)| threads.iter().position(|t| t == thread).is_some_and(|i| i % 4 != 0))
    {
        assert!(once.contains(review), "the review {review:?} stayed open, but was on no page");
    }
    delete(&store, &threads).await;
}

/// Checks that threads are listed in the byte order of their names, with their current status.
///
/// # Panics
/// If the promise is not kept.
pub async fn thread_pages<S: Store>(open: impl AsyncFn() -> S) {
    const ALL: [ThreadStatus; 5] = [
        ThreadStatus::Running,
        ThreadStatus::Waiting,
        ThreadStatus::InDoubt,
        ThreadStatus::Failed,
        ThreadStatus::Ended,
    ];
    let store = open().await;
    let base = name("thread pages");
    let threads: Vec<_> = (0..30).map(|i| named(&format!("{base}-{}", i * 37 % 30))).collect();
    let of: Vec<_> = threads.iter().collect();
    for round in 0..3 {
        let mut expected = BTreeMap::new();
        for (i, thread) in threads.iter().enumerate() {
            let standing = ALL[(i + round * (i % 2)) % ALL.len()];
            let round = round as u64;
            ok("append", store.append(entries(thread, round..round + 1).with_standing(standing)).await);
            expected.insert(thread.clone(), standing);
        }
        for limit in [0, 1, 4, 30, 31] {
            let listed = standings(&store, None, &of, limit).await;
            same("the threads", &listed, &expected.clone().into_iter().collect());
            for standing in ALL {
                let listed = standings(&store, Some(standing), &of, limit).await;
                let some = expected.clone().into_iter().filter(|(_, found)| *found == standing).collect();
                same(&format!("the threads with status {}", standing.as_str()), &listed, &some);
            }
        }
    }
    delete(&store, &threads).await;
}

/// Checks that due threads are listed in the order of their due times, each once, with the due time of its last append.
///
/// # Panics
/// If the promise is not kept.
pub async fn due_pages<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let base = name("due pages");
    let threads: Vec<_> = (0..30).map(|i| named(&format!("{base}-{i}"))).collect();
    let of: Vec<_> = threads.iter().collect();
    let mut times = Vec::new();
    for round in 0..3 {
        times.clear();
        for (i, thread) in (0..).zip(&threads) {
            // Due times are unordered and often equal; some are absent, and some change from round to round.
            let due = (i % 5 != 4).then_some((i * 7 + round * (i % 2)) % 11);
            let append = entries(thread, round..round + 1);
            ok("append", store.append(append.with_due(due.map(Timestamp::from_millis))).await);
            times.extend(due.map(|at| (at, thread)));
        }
        for by in [0, 3, 10, i64::MAX as u64, u64::MAX] {
            let expected: BTreeSet<_> = times.iter().filter(|(at, _)| *at <= by).copied().collect();
            for limit in [0, 1, 7, 100] {
                let listed = due(&store, by, &of, limit).await;
                let with_times: Vec<_> = listed
                    .iter()
                    .map(|thread| times.iter().find(|(_, known)| *known == thread).copied())
                    .map(|found| found.unwrap_or((0, &base)))
                    .collect();
                assert!(
                    with_times.is_sorted_by_key(|(at, _)| *at),
                    "due threads must be listed earliest due time first: {with_times:?}"
                );
                same("the number of due threads", &listed.len(), &expected.len());
                same("the due threads", &with_times.into_iter().collect(), &expected);
            }
        }
    }
    delete(&store, &threads).await;
    same("the due threads after their deletion", &due(&store, u64::MAX, &of, 10).await, &vec![]);
}

/// Checks that a page token which the list did not return is rejected.
///
/// # Panics
/// If the promise is not kept.
pub async fn page_tokens<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    for token in ["", " ", "0", "page 2", "\0", "null", "../..", "'; --", "🙈", &"x".repeat(5_000)] {
        let answer = store.reviews(Some(token), 10).await;
        assert!(
            matches!(answer, Err(StoreError::InvalidPageToken(_))),
            "the token `{token:.9}` must be rejected by `reviews` with `InvalidPageToken`, but the result was {answer:?}"
        );
        let answer = store.threads(None, Some(token), 10).await;
        assert!(
            matches!(answer, Err(StoreError::InvalidPageToken(_))),
            "the token `{token:.9}` must be rejected by `threads` with `InvalidPageToken`, but the result was {answer:?}"
        );
        let answer = store.due(Timestamp::UNIX_EPOCH, Some(token), 10).await;
        assert!(
            matches!(answer, Err(StoreError::InvalidPageToken(_))),
            "the token `{token:.9}` must be rejected by `due` with `InvalidPageToken`, but the result was {answer:?}"
        );
    }
    let threads = [name("page tokens 1"), name("page tokens 2")];
    for thread in &threads {
        let reviews = vec![review(thread, 0, 0)];
        ok("append", store.append(entries(thread, 0..1).with_reviews(reviews)).await);
    }
    let of_reviews = ok("reviews", store.reviews(None, 1).await).next;
    let of_threads = ok("threads", store.threads(None, None, 1).await).next;
    assert!(
        of_reviews.is_some() && of_threads.is_some(),
        "a list of two items in pages of one must have a next page"
    );
    let answer = store.threads(None, of_reviews.as_deref(), 1).await;
    assert!(
        matches!(answer, Err(StoreError::InvalidPageToken(_))),
        "a token of `reviews` must be rejected by `threads` with `InvalidPageToken`, but the result was {answer:?}"
    );
    let answer = store.reviews(of_threads.as_deref(), 1).await;
    assert!(
        matches!(answer, Err(StoreError::InvalidPageToken(_))),
        "a token of `threads` must be rejected by `reviews` with `InvalidPageToken`, but the result was {answer:?}"
    );
    delete(&store, &threads).await;
}
