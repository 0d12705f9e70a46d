//! Journals with valid hashes that cannot have happened. An audit names each problem and its place.

use std::time::Duration;

use hitl::{CLOCK_SKEW, FindingKind, MemoryStore, Timestamp, Verdict, store::Record};

use super::{
    attacks::{id, read, relink, replace, write},
    pay_agent::{agent, clerk, waiting},
};

/// Creates a thread that has paid what was approved, and returns its store and its entries.
async fn paid() -> (MemoryStore, Vec<Record>) {
    decided(Verdict::Approve).await
}

/// Creates a thread, gives the verdict, and returns its store and its entries.
async fn decided(verdict: Verdict) -> (MemoryStore, Vec<Record>) {
    let store = MemoryStore::new();
    let (honest, _) = agent(store.clone(), None);
    let digest = waiting(&honest, "t", 3).await;
    let _ = honest.decide("t", digest, &clerk(), verdict).await.unwrap();
    honest.verify(&id("t")).await.unwrap();
    let records = read(&store, &id("t")).await;
    (store, records)
}

/// Changes the entries, links them again, writes them, and returns the findings of an audit.
async fn findings(change: impl FnOnce(&mut Vec<Record>)) -> Vec<(u64, FindingKind)> {
    let (store, records) = paid().await;
    findings_after_change(store, records, change).await
}

async fn findings_after_change(
    store: MemoryStore,
    mut records: Vec<Record>,
    change: impl FnOnce(&mut Vec<Record>),
) -> Vec<(u64, FindingKind)> {
    change(&mut records);
    records.iter_mut().zip(0..).for_each(|(record, place)| record.place = place.into());
    relink(&id("t"), &mut records);
    write(&store, &id("t"), records).await;
    let audit = agent(store, None).0.audit(&id("t"), None).await.unwrap();
    audit.findings.into_iter().map(|finding| (finding.place.get(), finding.kind)).collect()
}

fn index_of(records: &[Record], event: &str) -> usize {
    let is = |record: &Record| {
        let entry: serde_json::Value = serde_json::from_slice(&record.body).unwrap();
        entry["is"].get(event).is_some()
    };
    records.iter().position(is).unwrap()
}

#[tokio::test]
async fn a_draft_that_differs_from_the_signed_one_is_reported() {
    let found = findings(|records| {
        let drafted = index_of(records, "paused") - 1;
        records[drafted].body = replace(&records[drafted].body, "4200", "9999");
    })
    .await;
    assert!(found.iter().any(|(_, kind)| *kind == FindingKind::Digest), "{found:?}");
    assert!(found.iter().any(|(_, kind)| *kind == FindingKind::Unsigned), "{found:?}");
}

#[tokio::test]
async fn an_effect_without_a_verdict_is_reported() {
    let mut place = 0;
    let found = findings(|records| {
        let decided = index_of(records, "decided");
        let paused = index_of(records, "paused");
        records.remove(decided);
        records.remove(paused);
        place = index_of(records, "began") as u64;
    })
    .await;
    assert!(found.contains(&(place, FindingKind::Unsigned)), "{found:?}");
}

#[tokio::test]
async fn an_effect_without_its_began_entry_is_reported() {
    let mut place = 0;
    let found = findings(|records| {
        let began = index_of(records, "began");
        records.remove(began);
        place = began as u64;
    })
    .await;
    assert!(found.contains(&(place, FindingKind::Unsigned)), "{found:?}");
}

#[tokio::test]
async fn a_transition_that_the_graph_lacks_is_reported() {
    // The first round leads to the draft, as if all rounds were counted.
    let found = findings(|records| {
        records[1].body = replace(&records[1].body, r#""to":"count""#, r#""to":"draft""#);
    })
    .await;
    assert!(found.contains(&(1, FindingKind::Route)), "{found:?}");
    assert!(found.contains(&(2, FindingKind::Route)), "{found:?}");
}

#[tokio::test]
async fn a_changed_role_or_idempotency_key_is_reported() {
    let mut places = (0, 0);
    let found = findings(|records| {
        let (decided, began) = (index_of(records, "decided"), index_of(records, "began"));
        places = (decided as u64, began as u64);
        records[decided].body = replace(&records[decided].body, r#""role":"clerk""#, r#""role":"chief""#);
        let entry: serde_json::Value = serde_json::from_slice(&records[began].body).unwrap();
        let key = entry["is"]["began"]["key"].as_str().unwrap();
        records[began].body = replace(&records[began].body, key, &"0".repeat(64));
    })
    .await;
    assert!(found.contains(&(places.0, FindingKind::Unsigned)), "{found:?}");
    assert!(found.contains(&(places.1, FindingKind::Digest)), "{found:?}");
}

#[tokio::test]
async fn a_timestamp_that_goes_backwards_is_reported() {
    for (back, is_named) in [(CLOCK_SKEW, false), (CLOCK_SKEW + Duration::from_millis(1), true)] {
        let found = findings(|records| {
            let now: u64 = 1_763_800_000_000;
            let before = Timestamp::from_millis(now).saturating_sub(back).as_millis();
            let last = records.len() - 1;
            records[last].body = replace(&records[last].body, &now.to_string(), &before.to_string());
        })
        .await;
        assert_eq!(found.iter().any(|(_, kind)| *kind == FindingKind::Time), is_named, "{found:?}");
    }
}

#[tokio::test]
async fn an_entry_after_the_end_is_reported() {
    let mut place = 0;
    let found = findings(|records| {
        let ran = records[index_of(records, "paused")].clone();
        place = records.len() as u64;
        let body = replace(&ran.body, "paused", "reminded");
        records.push(ran.with_body(body));
        let last = records.last_mut().unwrap();
        last.body = br#"{"at":1763800000000,"is":{"renewed":{}}}"#.to_vec();
    })
    .await;
    assert_eq!(found, [(place, FindingKind::Route)]);
}

#[tokio::test]
async fn an_edit_with_another_signed_digest_is_reported() {
    let patch = serde_json::json!({ "cents": 4_300 });
    let (store, records) = decided(Verdict::Edit { patch }).await;
    let place = index_of(&records, "decided");
    let found = findings_after_change(store, records, |records| {
        let entry: serde_json::Value = serde_json::from_slice(&records[place].body).unwrap();
        let signed = &entry["is"]["decided"]["verdict"]["edit"]["signed"];
        let signed = signed.as_str().unwrap_or_else(|| panic!("{entry}"));
        records[place].body = replace(&records[place].body, signed, &"0".repeat(64));
    })
    .await;
    assert!(found.contains(&(place as u64, FindingKind::Digest)), "{found:?}");
}
