//! Checks with many concurrent tasks.

use std::{collections::BTreeMap, future::poll_fn, sync::Arc, task::Poll};

use hitl_core::{
    Place,
    store::{Store, StoreError},
};

use super::samples::{delete, entries, entry, name, named, ok, review, reviews_of, same};
use super::{contend, read_journal};

/// Checks that tasks which compete for every place of one journal fill each place exactly once, and that each task
/// learns its result.
///
/// # Panics
/// If the promise is not kept.
pub async fn race<S: Store>(open: impl AsyncFn() -> S) {
    const PLACES: u64 = 60;
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
            let before = winners.insert(place.get(), racer);
            assert!(before.is_none(), "place {place} was filled by racer {racer} and by racer {before:?}");
        }
    }
    same("the places that were filled", &winners.keys().copied().collect::<Vec<_>>(), &(0..PLACES).collect());
    for record in read_journal(&*stores[0], &thread).await {
        let winner = format!("racer {}", winners[&record.place.get()]);
        same(
            "the entry of the racer that filled the place",
            &record,
            &entry(record.place.get(), &winner).with_snapshot(record.snapshot),
        );
    }
    ok("delete", stores[0].delete(&thread).await);
}

/// Checks that a reader gets a consistent view of a journal while others write to it.
///
/// # Panics
/// If the promise is not kept.
pub async fn readers_and_writers<S: Store>(open: impl AsyncFn() -> S) {
    const APPENDS: u64 = 60;
    let store = Arc::new(open().await);
    let thread = name("readers and writers");
    let writer = tokio::spawn({
        let (store, thread) = (Arc::clone(&store), thread.clone());
        async move {
            for i in 0..APPENDS {
                // Three entries, the second of which is a snapshot, and one review at the last place.
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
            let places: Vec<_> = tail.records.iter().map(|record| record.place.get()).collect();
            assert!(
                places.len() == 2 && places[0] % 3 == 1,
                "the tail must start with a snapshot and end with its append; its places are {places:?}"
            );
            assert!(
                places[1] + 1 >= head,
                "the head went back from {head}: the places of the tail are {places:?}"
            );
            head = places[1] + 1;
        }
        let open = reviews_of(&*store, &[&thread], 10).await.len();
        assert!(
            open > 0 || head == 0,
            "no review is open, although each append closes one review and opens another"
        );
        let length = ok("entries", store.entries(&thread, Place::START, usize::MAX).await).len();
        assert!(
            length.is_multiple_of(3),
            "the journal has {length} entries, but each append writes three: an append was written partially"
        );
        assert!(
            !finished || head == APPENDS * 3,
            "the writer has finished {APPENDS} appends, but the head is {head}"
        );
        tokio::task::yield_now().await;
    }
    writer.await.unwrap_or_else(|error| panic!("the writer: {error}"));
    ok("delete", store.delete(&thread).await);
}

/// Checks that tasks which write to many threads do not affect each other, even if some of their appends are conflicts.
///
/// # Panics
/// If the promise is not kept.
pub async fn many_threads<S: Store>(open: impl AsyncFn() -> S) {
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
                        assert!(matches!(answer, Err(StoreError::Conflict { .. })), "an append past the head must be rejected with `Conflict`, but the result was {answer:?}");
                    }
                    let reviews = vec![review(&thread, place, place)];
                    ok(
                        "append",
                        store.append(entries(&thread, place..place + 1).with_reviews(reviews)).await,
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
        task.await.unwrap_or_else(|error| panic!("a task of the crowd: {error}"));
    }
    for thread in &threads {
        same(
            "the journal of a thread in the crowd",
            &read_journal(&*store, thread).await,
            &entries(thread, 0..20).records,
        );
    }
    let of: Vec<_> = threads.iter().collect();
    same(
        "the number of open reviews of the crowd",
        &reviews_of(&*store, &of, 10).await.len(),
        &threads.len(),
    );
    delete(&*store, &threads).await;
}

/// Checks that an append whose future is dropped is written completely or not at all.
///
/// # Panics
/// If the promise is not kept.
pub async fn dropped_futures<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let thread = name("dropped futures");
    for polls in 0..90 {
        let next = read_journal(&store, &thread).await.len() as u64;
        assert!(
            next.is_multiple_of(3),
            "the journal has {next} entries, but each append writes three: an append was written partially"
        );
        let mut append = store.append(entries(&thread, next..next + 3));
        for _ in 0..polls % 4 {
            if poll_fn(|context| Poll::Ready(append.as_mut().poll(context).is_ready())).await {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(append);
    }
    // The last append may still be in flight; another append then succeeds or is a conflict.
    loop {
        let next = read_journal(&store, &thread).await.len() as u64;
        match store.append(entries(&thread, next..next + 3)).await {
            Ok(()) => break,
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("append after dropped futures: {error}"),
        }
    }
    let length = read_journal(&store, &thread).await.len();
    assert!(
        length.is_multiple_of(3),
        "the journal has {length} entries, but each append writes three: an append was written partially"
    );
    ok("delete", store.delete(&thread).await);
}
