//! Old threads under new code: incompatible threads are rejected before anything runs, compatible ones continue, and
//! existing journal entries never change.

mod branch_rejections;
mod branches;
mod compatible;
mod effects;
pub mod incompatible;
mod review_rules;
mod stricter_rules;
mod versions;

use hitl::{
    CompatibilityReport, Digest, Error, Graph, Incompatibility, ManualClock, MemoryStore, Store, ThreadId,
    ThreadStatus, Timestamp,
    journal::{Entry, Event},
    prelude::*,
    store::{Append, Record},
};

/// The first version of the graph `Refunds`. The versions in the submodules have the same graph name.
pub use crate::kit::refund as v1;
pub use v1::mara;

pub fn id(name: &str) -> ThreadId {
    name.parse().unwrap()
}

/// Starts a thread of the first version that waits for its signature, and returns the digest.
pub async fn waiting(store: &(impl Store + Clone), world: &v1::World, thread: &str) -> hitl::Digest {
    v1::open(&v1::Refunds::new(world.clone(), store.clone()), thread).await.digest()
}

/// Returns all records of the thread `t`.
pub async fn journal(store: &impl Store) -> Vec<Record> {
    store.entries(&id("t"), 0.into(), 10_000).await.unwrap()
}

/// Returns a store that holds these records as the journal of `t`.
pub async fn stored(records: Vec<Record>) -> MemoryStore {
    let store = MemoryStore::new();
    store.append(Append::new(id("t"), records, ThreadStatus::Running)).await.unwrap();
    store
}

/// Returns a store with the journal of `t` in which `to` takes the place of `from`, such as the fingerprint of another
/// program, and the hashes follow.
pub async fn altered(store: &MemoryStore, from: &str, to: &str) -> MemoryStore {
    let mut records = journal(store).await;
    let mut before = Digest::of(b"hitl journal 1\0t");
    for record in &mut records {
        let text = String::from_utf8(record.body.clone()).unwrap().replace(from, to);
        record.body = text.into_bytes();
        record.hash = Digest::of(&[&before.as_bytes()[..], &record.body].concat());
        before = record.hash;
    }
    stored(records).await
}

/// Returns a copy of the journal of `t` that ends before the first event of this name.
pub async fn cut_before(store: &MemoryStore, event: &str) -> MemoryStore {
    let records = journal(store).await;
    let end = names(&records).iter().position(|name| *name == event).unwrap();
    stored(records[..end].to_vec()).await
}

/// A clock after the end of every lease so far.
pub fn later() -> ManualClock {
    ManualClock::at(Timestamp::from_millis(4_000_000_000_000))
}

/// Returns the events of the records.
pub fn events(records: &[Record]) -> Vec<Event> {
    records.iter().map(|record| serde_json::from_slice::<Entry>(&record.body).unwrap().event).collect()
}

pub fn names(records: &[Record]) -> Vec<&'static str> {
    events(records).iter().map(Event::name).collect()
}

/// Asserts that a program rejects the thread `t` with the same incompatibilities in every call, appends nothing, and
/// still shows the known state. Returns the incompatibilities.
#[track_caller]
pub fn assert_incompatible<G: Graph>(
    agent: &Agent<G>,
    digest: Option<hitl::Digest>,
) -> impl Future<Output = Vec<Incompatibility>> {
    let agent = agent.clone();
    async move {
        let before = agent.store().entries(&id("t"), 0.into(), 10_000).await.unwrap();
        let check: CompatibilityReport = agent.check("t").await.unwrap();
        assert!(!check.can_go_on());
        let mut errors = vec![agent.turn("t").await.err(), agent.resume("t").await.err()];
        if let Some(digest) = digest {
            for verdict in [Verdict::Approve, Verdict::Edit { patch: serde_json::json!({}) }] {
                errors.push(agent.decide("t", digest, &mara(), verdict).await.err());
            }
        }
        for error in errors {
            match error.expect("expected the thread to be incompatible") {
                Error::GraphChanged { differences, .. } => assert_eq!(differences, check.differences),
                other => panic!("{other}"),
            }
        }
        let view = agent.view("t").await.unwrap();
        assert_eq!(view.differences, check.differences);
        assert!(!view.fields.is_empty());
        assert!(view.reviews.iter().all(|review| review.verdicts.is_empty()));
        assert_eq!(agent.history(&id("t"), 0, 10_000).await.unwrap().len(), before.len());
        agent.verify(&id("t")).await.unwrap();
        assert_eq!(agent.store().entries(&id("t"), 0.into(), 10_000).await.unwrap(), before);
        check.differences
    }
}

/// Returns the code, the node and the field of each incompatibility.
pub fn codes(differences: &[Incompatibility]) -> Vec<(&'static str, &str, &str)> {
    let code = |d: &'_ Incompatibility| d.code();
    differences
        .iter()
        .map(|d| (code(d), d.node().unwrap_or_default(), d.field().unwrap_or_default()))
        .collect()
}

/// Asserts that the journal of the thread `t` begins with the records `before` and verifies; returns the records after
/// them.
pub async fn entries_after<G: Graph>(agent: &Agent<G>, before: &[Record]) -> Vec<Record> {
    let after = agent.store().entries(&id("t"), 0.into(), 10_000).await.unwrap();
    assert_eq!(&after[..before.len()], before);
    agent.verify(&id("t")).await.unwrap();
    after[before.len()..].to_vec()
}
