//! Checks of the tallies. A store that keeps none passes.

use std::collections::BTreeMap;

use hitl_core::{
    Place, ThreadId,
    store::{Backfill, Store, StoreError, Tally, UncountedThread},
};

use super::samples::{delete, entries, entry, name, named, ok, same};

/// Sorts before the names of all other groups, so that the check can delete its own groups.
const PREFIX: &str = "\u{1}conformance";

/// Checks that each append is counted once or not at all, and what is not counted can be counted later, once.
///
/// # Panics
/// If the promise is not kept.
pub async fn tallies<S: Store>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let page = ok("a page of tallies", store.tallies("", None, 1).await);
    assert_eq!(page.is_some(), store.keeps_tallies(), "`keeps_tallies` differs from `tallies`");
    if page.is_none() {
        let page = ok("a page of uncounted threads", store.uncounted(None, 1).await);
        assert!(page.items.is_empty(), "a store without tallies has uncounted threads");
        ok("delete_tallies", store.delete_tallies(None).await);
        return;
    }
    let base = name("tallies");
    let groups = ["a", "b", "ü\0\""].map(|group| format!("{PREFIX} {base} {group}"));
    let count = |group: usize, count| Tally::new(groups[group].as_str()).with_count("cöunter", count);
    let thread = named(&format!("{base} counted"));
    let append = |place, tallies| entries(&thread, place..place + 1).with_tallies(tallies);
    ok("append", store.append(append(0, Some(vec![count(0, 1), count(1, 1), count(0, 2)]))).await);
    ok("append", store.append(append(1, Some(vec![count(2, u64::MAX)]))).await);
    ok("append", store.append(append(2, Some(vec![count(2, 1), count(1, 4)]))).await);
    let answer = store.append(append(2, Some(vec![count(0, 1)]))).await;
    assert!(
        matches!(answer, Err(StoreError::Conflict { .. })),
        "an append at a place that is taken: {answer:?}"
    );
    let expected =
        BTreeMap::from([(groups[0].clone(), 3), (groups[1].clone(), 5), (groups[2].clone(), u64::MAX)]);
    for limit in [0, 1, 2, 3, 9] {
        same("the tallies", &sums(&open().await, &groups[0], limit).await, &expected);
    }
    same("the tallies from a group on", &sums(&store, &groups[1], 1).await.len(), &2);
    let answer = store.tallies("", Some("no token"), 1).await;
    assert!(matches!(answer, Err(StoreError::InvalidPageToken(_))), "another text as a token: {answer:?}");
    same("the uncounted threads", &uncounted(&store, &base, 2).await, &Vec::new());

    let late: Vec<_> = (0..5).map(|number| named(&format!("{base} late {number}"))).collect();
    for thread in &late {
        ok("append", store.append(entries(thread, 0..2)).await);
        // It follows an uncounted entry, so it is not counted either.
        ok("append", store.append(entries(thread, 2..3).with_tallies(Some(vec![count(0, 1)]))).await);
    }
    let all: Vec<_> = late.iter().map(|thread| (thread.clone(), Place::START)).collect();
    for limit in [0, 1, 2, 5, 9] {
        same("the uncounted threads", &uncounted(&open().await, &base, limit).await, &all);
    }
    let range = |from: u64, to: u64, of: &str| {
        let uncounted = UncountedThread::new(late[0].clone(), from.into());
        Backfill::new(uncounted, to.into(), entry(to, of).hash, vec![count(0, 10)])
    };
    let own = late[0].as_str();
    for (backfill, is_added) in [
        (range(1, 2, own), false),
        (range(0, 9, own), false),
        (range(0, 1, "another thread of this name"), false),
        (range(0, 1, own), true),
        (range(0, 1, own), false),
    ] {
        let what = format!("backfill of {} to {}", backfill.from, backfill.to);
        same(&what, &ok(&what, store.backfill(backfill).await), &is_added);
    }
    same("the first uncounted place", &uncounted(&store, &base, 9).await[0], &(late[0].clone(), 2.into()));
    assert!(ok("backfill", store.backfill(range(2, 2, own)).await), "the rest of a range was not added");
    ok("append", store.append(entries(&late[0], 3..4).with_tallies(Some(vec![count(0, 100)]))).await);
    same("the sum", &sums(&store, &groups[0], 9).await[&groups[0]], &123);
    same("the uncounted threads", &uncounted(&store, &base, 9).await, &all[1..].to_vec());

    // The counts of deleted threads stay.
    delete(&store, &late).await;
    delete(&store, std::slice::from_ref(&thread)).await;
    same("the uncounted threads", &uncounted(&store, &base, 9).await, &Vec::new());
    same("the sum", &sums(&store, &groups[0], 9).await[&groups[0]], &123);
    ok("delete_tallies", store.delete_tallies(Some(&groups[1])).await);
    same("the tallies that are left", &sums(&open().await, &groups[0], 9).await.len(), &2);
    ok("delete_tallies", store.delete_tallies(Some(&format!("{PREFIX}~"))).await);
    same("the tallies that are left", &sums(&open().await, &groups[0], 9).await.len(), &0);
}

/// Returns the sums of the counter in the groups of the suite, over all pages.
async fn sums(store: &impl Store, from: &str, limit: usize) -> BTreeMap<String, u64> {
    let (mut sums, mut last, mut after) = (BTreeMap::<_, u64>::new(), String::new(), None::<String>);
    loop {
        let page = ok("a page of tallies", store.tallies(from, after.as_deref(), limit).await);
        let page = page.unwrap_or_else(|| panic!("the tallies are gone"));
        assert!(
            page.items.len() <= limit.max(1),
            "a page of at most {limit} tallies has {}",
            page.items.len()
        );
        for tally in page.items.into_iter().filter(|tally| tally.group.starts_with(PREFIX)) {
            assert!(tally.group >= last, "the tallies must be in the byte order of their groups");
            last.clone_from(&tally.group);
            let sum = sums.entry(tally.group).or_default();
            *sum = sum.saturating_add(tally.counts.get("cöunter").copied().unwrap_or(0));
        }
        match page.next {
            Some(next) => {
                assert!(after.replace(next) != after, "the token of the next page is that of this page")
            }
            None => return sums,
        }
    }
}

/// Returns the uncounted threads with this prefix, over all pages, by name.
async fn uncounted(store: &impl Store, base: &ThreadId, limit: usize) -> Vec<(ThreadId, Place)> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = ok("a page of uncounted threads", store.uncounted(after.as_deref(), limit).await);
        assert!(
            page.items.len() <= limit.max(1),
            "a page of at most {limit} threads has {}",
            page.items.len()
        );
        let own = page.items.into_iter().filter(|it| it.thread.as_str().starts_with(base.as_str()));
        all.extend(own.map(|uncounted| (uncounted.thread, uncounted.from)));
        match page.next {
            Some(next) => {
                assert!(after.replace(next) != after, "the token of the next page is that of this page")
            }
            None => break,
        }
    }
    all.sort();
    all
}
