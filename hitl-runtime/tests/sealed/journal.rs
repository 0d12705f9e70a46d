//! Entries by hand, and how they look from the store's side.

use hitl_runtime::{
    Digest, ThreadId,
    store::{Append, MemoryStore, Record, Standing, Store},
};

pub fn thread(name: &str) -> ThreadId {
    ThreadId::new(name).unwrap()
}

pub fn record(place: u64, body: &[u8]) -> Record {
    Record { place, hash: Digest::of(body), body: body.to_vec(), snapshot: false }
}

/// The entries of a journal that has `after` as its last one.
pub fn append(thread: &ThreadId, after: Option<&Record>, records: Vec<Record>) -> Append {
    Append {
        thread: thread.clone(),
        records,
        standing: Standing::Running,
        reviews: vec![],
        due_ms: None,
        after: after.map(|record| record.hash),
    }
}

/// A journal of these bodies.
pub async fn write(store: &impl Store, thread: &ThreadId, bodies: &[&str]) {
    let mut last = None;
    for (place, body) in (0..).zip(bodies) {
        let next = record(place, body.as_bytes());
        store.append(append(thread, last.as_ref(), vec![next.clone()])).await.unwrap();
        last = Some(next);
    }
}

/// What somebody with the store can do: takes a journal out, changes it, and puts it back.
pub async fn rewrite(store: &MemoryStore, thread: &ThreadId, change: impl FnOnce(&mut Vec<Record>)) {
    let mut records = store.entries(thread, 0, usize::MAX).await.unwrap();
    store.delete(thread).await.unwrap();
    change(&mut records);
    store.append(append(thread, None, records)).await.unwrap();
}
