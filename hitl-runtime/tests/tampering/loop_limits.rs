//! Journals with valid hashes in which a loop has run more often than its limit.

use hitl::{FindingKind, MemoryStore, prelude::*, store::Record};
use serde_json::{Value, json};

use super::attacks::{id, read, relink, write};

#[state]
pub struct Call {
    #[input]
    pub number: u32,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

#[node(Call, writes = log)]
async fn ring(number: u32) -> Result<Vec<String>> {
    Ok(vec![format!("rang {number}")])
}

graph! {
    pub Caller<Call> {
        start -> ring -> match number {
            _ if runs(ring) < 4 => ring,
            _ => end,
        };
    }
}

/// Returns the findings after the records of a finished thread were changed.
async fn found(change: impl FnOnce(&mut Vec<Record>)) -> Vec<(u64, FindingKind)> {
    let (store, thread) = (MemoryStore::new(), id("t"));
    let agent = Caller::new(store.clone());
    assert!(matches!(agent.start("t", CallInput { number: 7 }).await.unwrap(), CallerTurn::Done(_)));
    agent.verify(&thread).await.unwrap();
    let mut records = read(&store, &thread).await;
    change(&mut records);
    records.iter_mut().zip(0..).for_each(|(record, place)| record.place = place.into());
    relink(&thread, &mut records);
    write(&store, &thread, records).await;
    let audit = agent.audit(&thread, None).await.unwrap();
    audit.findings.into_iter().map(|finding| (finding.place.get(), finding.kind)).collect()
}

/// Changes what the entry of the second run records.
fn second_run(change: impl FnOnce(&mut Value)) -> impl FnOnce(&mut Vec<Record>) {
    |records| {
        let mut json: Value = serde_json::from_slice(&records[2].body).unwrap();
        assert_eq!(json["is"]["ran"]["run"], 2);
        change(&mut json["is"]["ran"]);
        records[2].body = serde_json::to_vec(&json).unwrap();
    }
}

#[tokio::test]
async fn a_run_without_its_number_is_reported() {
    let found = found(second_run(|ran| _ = ran.as_object_mut().unwrap().remove("run"))).await;
    // The next entry says that it is run 3.
    assert_eq!(found, [(2, FindingKind::Route), (3, FindingKind::Route)]);
}

#[tokio::test]
async fn a_run_with_another_number_is_reported() {
    let found = found(second_run(|ran| ran["run"] = 1.into())).await;
    assert_eq!(found, [(2, FindingKind::Route), (3, FindingKind::Route)]);
}

/// A migration gives the runs so far to another name.
#[tokio::test]
async fn a_forged_migration_that_resets_a_count_is_reported() {
    let found = found(|records| {
        let started: Value = serde_json::from_slice(&records[0].body).unwrap();
        let print = &started["is"]["started"]["print"];
        let migrated = json!({ "print": print, "renamed": { "ring": "nothing" } });
        let entry = json!({ "at": started["at"], "is": { "migrated": migrated } });
        let mut record = records[3].clone();
        record.body = serde_json::to_vec(&entry).unwrap();
        records.insert(3, record);
    })
    .await;
    // Neither is the code another one, nor does the graph rename the node.
    assert_eq!(found[..2], [(3, FindingKind::Route), (3, FindingKind::Route)]);
}
