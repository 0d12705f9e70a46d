//! A journal from an untrusted writer: one entry per line, with valid hashes.

use hitl::{
    Digest, Operator, ThreadId, ThreadStatus, Timestamp, Verdict,
    store::{Append, MemoryStore, Record, Store as _},
};

use crate::fixture::{agent_on, block_on};

/// Reads the journal in every way, and acts on it. Anything but a result or a typed error is a bug.
pub fn run(data: &[u8]) {
    let thread = ThreadId::new("t").expect("a valid thread name");
    let mut hash = Digest::of(b"hitl journal 1\0t");
    let mut records = Vec::new();
    for (place, body) in (0..).zip(data.split(|byte| *byte == b'\n').take(64)) {
        hash = Digest::of(&[hash.as_bytes(), body].concat());
        let snapshot = body.windows(11).any(|window| window == b"\"snapshot\":");
        records.push(Record::new(place, hash, body.to_vec()).with_snapshot(snapshot));
    }
    block_on(async {
        let store = MemoryStore::new();
        let (standing, reviews) = (ThreadStatus::Running, vec![]);
        let append = Append::new(thread.clone(), records, standing)
            .with_reviews(reviews)
            .with_due(Some(Timestamp::from_millis(0)));
        store.append(append).await.expect("the store accepts any bytes");
        let agent = agent_on(store);
        agent.verify(&thread).await.expect("the hashes are valid");
        let _ = agent.history(&thread, 0, 100).await;
        for place in 0..4 {
            let _ = agent.snapshot_at(&thread, place).await;
            let _ = agent.fork(&thread, place, &ThreadId::new("copy").expect("a valid thread name")).await;
            let _ = agent.store().delete(&ThreadId::new("copy").expect("a valid thread name")).await;
        }
        let mara = Operator::new("mara").role("payer");
        if let Ok(view) = agent.view(&thread).await {
            for review in view.reviews {
                let _ = agent.decide(&thread, review.digest, &mara, Verdict::Approve).await;
            }
            if let Some(doubt) = view.in_doubt {
                let again = hitl::journal::Settlement::RunAgain;
                let _ = agent.settle(&thread, doubt.digest, &mara, again).await;
            }
        }
        let _ = agent.sweep().await;
        let _ = agent.resume(&thread).await;
        let _ = agent.turn(&thread).await;
        agent.verify(&thread).await.expect("appended entries are linked by hashes");
    });
}
