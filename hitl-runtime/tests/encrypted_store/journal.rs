//! Entries for the tests, and direct access to those of the underlying store.

use hitl_runtime::{
    Digest, ThreadId,
    store::{Append, MemoryStore, Record, Store, ThreadStatus},
};

pub fn thread(name: &str) -> ThreadId {
    ThreadId::new(name).unwrap()
}

pub fn record(place: u64, body: &[u8]) -> Record {
    Record::new(place, Digest::of(body), body.to_vec())
}

/// Returns an append of `records` after the entry `after`.
pub fn append(thread: &ThreadId, after: Option<&Record>, records: Vec<Record>) -> Append {
    Append::new(thread.clone(), records, ThreadStatus::Running).with_after(after.map(|record| record.hash))
}

/// Writes a journal with these bodies.
pub async fn write(store: &impl Store, thread: &ThreadId, bodies: &[&str]) {
    let mut last = None;
    for (place, body) in (0..).zip(bodies) {
        let next = record(place, body.as_bytes());
        store.append(append(thread, last.as_ref(), vec![next.clone()])).await.unwrap();
        last = Some(next);
    }
}

/// Changes a journal as an attacker with access to the store can: reads it, deletes it, and writes it changed.
pub async fn rewrite(store: &MemoryStore, thread: &ThreadId, change: impl FnOnce(&mut Vec<Record>)) {
    let mut records = store.entries(thread, 0.into(), usize::MAX).await.unwrap();
    store.delete(thread).await.unwrap();
    change(&mut records);
    store.append(append(thread, None, records)).await.unwrap();
}
