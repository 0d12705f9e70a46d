//! Attacks with write access to the store and without a key, each on a store with an agent's threads.

use hitl::{
    Digest, Error, Store, ThreadId, ThreadStatus, Verdict,
    store::{Append, Record},
};
use serde_json::Value;

use super::pay_agent::{Bank, agent, clerk, keys, waiting};

pub fn id(thread: &str) -> ThreadId {
    thread.try_into().unwrap()
}

/// Returns all entries of a thread.
pub async fn read(store: &dyn Store, thread: &ThreadId) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let page = store.entries(thread, (records.len() as u64).into(), 100).await.unwrap();
        if page.is_empty() {
            return records;
        }
        records.extend(page);
    }
}

/// Replaces all entries of a thread with others, as they are.
pub async fn write(store: &dyn Store, thread: &ThreadId, records: Vec<Record>) {
    store.delete(thread).await.unwrap();
    let mut after = None;
    for some in records.chunks(20) {
        let append = Append::new(thread.clone(), some.to_vec(), ThreadStatus::Waiting).with_after(after);
        store.append(append).await.unwrap();
        after = some.last().map(|record| record.hash);
    }
}

/// Returns the hash of an entry, which takes no key to compute.
pub fn link(before: Digest, body: &[u8]) -> Digest {
    Digest::of(&[&before.as_bytes()[..], body].concat())
}

/// Recomputes every hash, as an attacker does after changing a body.
pub fn relink(thread: &ThreadId, records: &mut [Record]) {
    let mut before = Digest::of(&[&b"hitl journal 1\0"[..], thread.as_str().as_bytes()].concat());
    for record in records {
        record.hash = link(before, &record.body);
        before = record.hash;
    }
}

pub fn replace(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(body).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    text.replace(from, to).into_bytes()
}

/// Asserts that every operation on the thread fails with this code, and that nothing is paid.
pub async fn assert_rejected<S: Store + Clone>(
    store: &S,
    thread: &str,
    digest: Digest,
    keyed: Option<u8>,
    code: &str,
) {
    let (agent, Bank(paid, _)) = agent(store.clone(), keyed.map(keys));
    let errors: [Error; 4] = [
        agent.turn(thread).await.unwrap_err(),
        agent.resume(thread).await.unwrap_err(),
        agent.decide(thread, digest, &clerk(), Verdict::Approve).await.unwrap_err(),
        agent.verify(&id(thread)).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.code(), code, "{error}");
    }
    assert!(paid.lock().unwrap().is_empty());
}

/// Edits the body of the snapshot at which a resume begins, and leaves all other bytes as they are.
pub async fn an_edited_snapshot<S: Store + Clone>(store: S) {
    let (honest, _) = agent(store.clone(), None);
    let digest = waiting(&honest, "edited", 90).await;
    let thread = id("edited");
    let mut records = read(&store, &thread).await;
    let first = store.tail(&thread).await.unwrap().unwrap().records[0].place;
    assert!(first > 0, "a tail that begins at a snapshot");
    let at = usize::try_from(first.get()).unwrap();
    let whole = records.clone();
    records[at].body = replace(&records[at].body, "\"rounds\":90", "\"rounds\":91");
    write(&store, &thread, records).await;
    assert_rejected(&store, "edited", digest, None, "damaged").await;

    write(&store, &thread, whole).await;
    let (again, _) = agent(store.clone(), None);
    again.verify(&thread).await.unwrap();
}

/// Edits a snapshot, and recomputes every hash from there on. Without a key the tail is consistent, and only an audit
/// finds the edit.
pub async fn a_forged_snapshot<S: Store + Clone>(store: S) {
    for keyed in [None, Some(1)] {
        let (honest, _) = agent(store.clone(), keyed.map(keys));
        let digest = waiting(&honest, "forged", 90).await;
        let thread = id("forged");
        let mut records = read(&store, &thread).await;
        let at = records.iter().rposition(|record| record.snapshot).unwrap();
        records[at].body = replace(&records[at].body, "\"rounds\":90", "\"rounds\":91");
        relink(&thread, &mut records);
        write(&store, &thread, records).await;
        if keyed.is_some() {
            assert_rejected(&store, "forged", digest, keyed, "unauthenticated_entry").await;
        } else {
            let audit = honest.audit(&thread, None).await.unwrap();
            assert!(
                audit
                    .findings
                    .iter()
                    .any(|it| it.kind == hitl::FindingKind::Snapshot && it.place == at as u64),
                "{audit:?}"
            );
        }
        store.delete(&thread).await.unwrap();
    }
}

/// Returns an entry that every reader of the store can compute: a verdict in the name of the chief.
fn verdict(records: &[Record]) -> Record {
    let last = records.last().unwrap();
    let paused: Value = serde_json::from_slice(&last.body).unwrap();
    let digest = paused["is"]["paused"]["digest"].as_str().unwrap();
    let body = format!(
        r#"{{"at":{},"is":{{"decided":{{"node":"pay","verdict":"approve","operator":"cfo@bank","digest":"{digest}","to":"pay"}}}}}}"#,
        paused["at"]
    );
    let body = body.into_bytes();
    Record::new(last.place + 1, link(last.hash, &body), body)
}

/// Appends the chief's verdict. Without a key the thread pays, as documented; with a key it does not.
pub async fn an_inserted_verdict<S: Store + Clone>(store: S) {
    for (thread, keyed) in [("free", None), ("keyed", Some(1))] {
        let (honest, _) = agent(store.clone(), keyed.map(keys));
        let digest = waiting(&honest, thread, 2).await;
        let mut records = read(&store, &id(thread)).await;
        records.push(verdict(&records));
        write(&store, &id(thread), records).await;
        if keyed.is_some() {
            assert_rejected(&store, thread, digest, keyed, "unauthenticated_entry").await;
        } else {
            let (runner, Bank(paid, _)) = agent(store.clone(), None);
            let _ = runner.resume(thread).await.unwrap();
            assert_eq!(*paid.lock().unwrap(), [(4_200, "cfo@bank".to_owned())], "as the documentation says");
        }
    }
}

/// Removes MACs, from all entries or from some.
pub async fn stripped_macs<S: Store + Clone>(store: S) {
    let (honest, _) = agent(store.clone(), Some(keys(1)));
    let digest = waiting(&honest, "stripped", 2).await;
    let thread = id("stripped");
    let whole = read(&store, &thread).await;
    for from in [0, 1, whole.len() - 1] {
        let mut records = whole.clone();
        for record in &mut records[from..] {
            let text = String::from_utf8(record.body.clone()).unwrap();
            let end = text.rfind(",\"auth\":").unwrap();
            record.body = format!("{}}}", &text[..end]).into_bytes();
        }
        relink(&thread, &mut records);
        write(&store, &thread, records).await;
        assert_rejected(&store, "stripped", digest, Some(1), "unauthenticated_entry").await;
    }
}

/// Moves entries to another thread and to another place.
pub async fn moved_entries<S: Store + Clone>(store: S) {
    let (honest, _) = agent(store.clone(), Some(keys(1)));
    let digest = waiting(&honest, "a", 3).await;
    waiting(&honest, "b", 3).await;
    let (a, b) = (read(&store, &id("a")).await, read(&store, &id("b")).await);
    // All entries of one thread under the name of another.
    let mut records = b.clone();
    relink(&id("a"), &mut records);
    write(&store, &id("a"), records).await;
    assert_rejected(&store, "a", digest, Some(1), "unauthenticated_entry").await;
    // An entry of another thread at the same place, and two entries that are swapped.
    let mut one = a.clone();
    one[2].body.clone_from(&b[2].body);
    let mut two = a.clone();
    two[1].body.clone_from(&a[2].body);
    two[2].body.clone_from(&a[1].body);
    for mut records in [one, two] {
        relink(&id("a"), &mut records);
        write(&store, &id("a"), records).await;
        assert_rejected(&store, "a", digest, Some(1), "unauthenticated_entry").await;
    }
}

/// Alters every entry in turn, with and without recomputed hashes.
pub async fn every_entry_altered<S: Store + Clone>(store: S) {
    let (honest, _) = agent(store.clone(), Some(keys(1)));
    let thread = id("altered");
    waiting(&honest, "altered", 4).await;
    honest.verify(&thread).await.unwrap();
    let whole = read(&store, &thread).await;
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % limit as u64).unwrap()
    };
    for place in 0..whole.len() {
        for _ in 0..8 {
            let mut records = whole.clone();
            let at = below(records[place].body.len());
            records[place].body[at] ^= 1 << below(7);
            let relinked = below(2) == 0;
            if relinked {
                relink(&thread, &mut records);
            }
            write(&store, &thread, records).await;
            let (reader, Bank(paid, _)) = agent(store.clone(), Some(keys(1)));
            let loaded = reader.resume("altered").await.map(drop);
            let verified = reader.verify(&thread).await.map(drop);
            for refused in [loaded, verified] {
                let code = refused.unwrap_err().code();
                assert!(["damaged", "unauthenticated_entry"].contains(&code), "{place}, {at}: {code}");
            }
            assert!(paid.lock().unwrap().is_empty());
        }
    }
}

/// Runs all attacks that work on any store.
pub async fn all<S: Store + Clone>(store: S) {
    an_edited_snapshot(store.clone()).await;
    a_forged_snapshot(store.clone()).await;
    an_inserted_verdict(store.clone()).await;
    stripped_macs(store.clone()).await;
    moved_entries(store).await;
}
