//! Journals with valid hashes in which a loop has run more often than its limit.

use hitl::{FindingKind, MemoryStore, prelude::*};
use serde_json::Value;

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

/// Returns the findings after `run` of the entry of the second run was changed.
async fn found(change: impl FnOnce(&mut Value)) -> Vec<(u64, FindingKind)> {
    let (store, thread) = (MemoryStore::new(), id("t"));
    let agent = Caller::new(store.clone());
    assert!(matches!(agent.start("t", CallInput { number: 7 }).await.unwrap(), CallerTurn::Done(_)));
    agent.verify(&thread).await.unwrap();
    let mut records = read(&store, &thread).await;
    let mut json: Value = serde_json::from_slice(&records[2].body).unwrap();
    assert_eq!(json["is"]["ran"]["run"], 2);
    change(&mut json["is"]["ran"]);
    records[2].body = serde_json::to_vec(&json).unwrap();
    relink(&thread, &mut records);
    write(&store, &thread, records).await;
    let audit = agent.audit(&thread, None).await.unwrap();
    audit.findings.into_iter().map(|finding| (finding.place.get(), finding.kind)).collect()
}

#[tokio::test]
async fn a_run_that_is_not_counted_is_reported() {
    let found = found(|ran| _ = ran.as_object_mut().unwrap().remove("run")).await;
    // The next entry says that it is run 3.
    assert_eq!(found, [(2, FindingKind::Route), (3, FindingKind::Unreadable)]);
}

#[tokio::test]
async fn a_run_with_another_number_is_reported() {
    assert_eq!(found(|ran| ran["run"] = 1.into()).await, [(2, FindingKind::Unreadable)]);
}
