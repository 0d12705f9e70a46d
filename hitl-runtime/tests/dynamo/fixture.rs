//! Sample appends, and a view of everything that a store returns about a thread.

use hitl_runtime::{
    Digest, Place, ThreadId, Timestamp,
    store::{Append, OpenReview, Record, Store as _, ThreadStatus, dynamo::DynamoStore},
};
use hitl_testkit::conformance;

/// A text that must not appear in any error.
pub const SECRET: &str = "nobody-may-read-this";

pub fn thread(name: &str) -> ThreadId {
    ThreadId::new(name).unwrap()
}

/// Returns bytes that do not compress.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

pub fn record(place: impl Into<Place>, body: Vec<u8>) -> Record {
    Record::new(place, Digest::of(&body), body)
}

pub fn review(thread: &ThreadId, place: u64, opened: u64) -> OpenReview {
    OpenReview::new(
        thread.clone(),
        "Scene",
        "execute",
        Digest::of(format!("{thread} {place}").as_bytes()),
        place,
        Timestamp::from_millis(opened),
    )
    .with_role(Some("approver".into()))
}

/// Returns an append of one small entry after the entries of `before`.
pub fn after(thread: &ThreadId, before: &[Record]) -> Append {
    let place = before.len() as u64;
    let records = vec![record(place, format!("\"{SECRET} {place}\"").into_bytes())];
    Append::new(thread.clone(), records, ThreadStatus::Running)
        .with_due(Some(Timestamp::from_millis(1_000 + place)))
        .with_after(before.last().map(|record| record.hash))
}

/// Everything that a store returns about one thread.
#[derive(Debug, PartialEq)]
pub struct StoredThread {
    pub records: Vec<Record>,
    pub reviews: Vec<OpenReview>,
    pub standing: Option<ThreadStatus>,
    pub due: bool,
}

pub async fn stored_thread(store: &DynamoStore, thread: &ThreadId) -> StoredThread {
    // Read before the journal, because these lists may lag behind it.
    let reviews = reviews(store, thread).await;
    let standing = store.threads(None, None, 1_000).await.unwrap().items;
    StoredThread {
        records: conformance::read_journal(store, thread).await,
        reviews,
        standing: standing.into_iter().find(|(of, _)| of == thread).map(|(_, standing)| standing),
        due: store.due(Timestamp::MAX, None, 1_000).await.unwrap().items.contains(thread),
    }
}

pub async fn reviews(store: &DynamoStore, thread: &ThreadId) -> Vec<OpenReview> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.reviews(after.as_deref(), 500).await.unwrap();
        all.extend(page.items.into_iter().filter(|review| review.thread == *thread));
        match page.next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}
