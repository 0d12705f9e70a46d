//! Journals with valid hashes in which an effect runs without a valid signature. `verify` reports the entry.

use hitl::{Digest, FindingKind, MemoryStore, prelude::*, store::Record};
use serde_json::{Value, json};

use super::{
    attacks::{id, read, relink, write},
    kit::{
        operators::clerk,
        payment::{Draft, Size},
    },
};

#[state]
pub struct Order {
    #[input]
    pub cents: u32,
    pub draft: Draft,
    pub size: Size,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

#[node(Order, writes = draft)]
async fn propose(cents: &u32) -> Result<Draft> {
    Ok(Draft { cents: *cents })
}

#[node(Order, writes = size)]
async fn measure(draft: &Draft) -> Result<Size> {
    Ok(if draft.cents > 100 { Size::Large } else { Size::Small })
}

#[interrupt_before(role = "clerk", covers = (wire))]
#[node(Order, writes = log, effect)]
async fn pay_small(draft: &Approved<Draft>) -> Result<Vec<String>> {
    Ok(vec![format!("small {}", draft.cents)])
}

#[interrupt_before(role = "director", covers = (wire))]
#[node(Order, writes = log, effect)]
async fn pay_large(draft: &Approved<Draft>) -> Result<Vec<String>> {
    Ok(vec![format!("large {}", draft.cents)])
}

#[node(Order, writes = log, effect)]
async fn wire(draft: &Approved<Draft>) -> Result<Vec<String>> {
    Ok(vec![format!("wired {}", draft.cents)])
}

#[node(Order, writes = log)]
async fn cancel(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

graph! {
    pub Payer<Order> {
        start -> propose -> measure -> match size { Size::Small => pay_small, Size::Large => pay_large };
        pay_small -> wire;
        pay_large -> wire;
        wire -> end;
        pay_small { reject -> cancel }
        pay_large { reject -> cancel }
        cancel -> end;
    }
}

fn edit(record: &mut Record, change: impl FnOnce(&mut Value)) {
    let mut json: Value = serde_json::from_slice(&record.body).unwrap();
    change(&mut json);
    record.body = serde_json::to_vec(&json).unwrap();
}

fn at(records: &[Record], event: &str, nth: usize) -> usize {
    let is =
        |record: &Record| serde_json::from_slice::<Value>(&record.body).unwrap()["is"].get(event).is_some();
    records.iter().enumerate().filter(|(_, r)| is(r)).nth(nth).unwrap().0
}

async fn paid(cents: u32) -> (Agent<Payer>, MemoryStore, Vec<Record>) {
    let store = MemoryStore::new();
    let agent = Payer::new(store.clone());
    let PayerTurn::PaySmall(review) = agent.start("t", OrderInput { cents }).await.unwrap() else { panic!() };
    assert!(matches!(review.approve(&clerk()).await.unwrap(), PayerTurn::Done(_)));
    agent.verify(&id("t")).await.unwrap();
    let records = read(&store, &id("t")).await;
    (agent, store, records)
}

async fn found(agent: &Agent<Payer>) -> Vec<(u64, FindingKind)> {
    let audit = agent.audit(&id("t"), None).await.unwrap();
    audit.findings.into_iter().map(|finding| (finding.place.get(), finding.kind)).collect()
}

/// `wire` ran on 999 cents without a signature on that amount: the forged entry claims that `pay_small` wrote the
/// draft.
#[tokio::test]
async fn a_covered_effect_on_an_unsigned_draft_is_reported() {
    let (agent, store, mut records) = paid(5).await;
    let ran = at(&records, "ran", 2);
    edit(&mut records[ran], |json| {
        assert_eq!(json["is"]["ran"]["node"], "pay_small");
        json["is"]["ran"]["wrote"]["draft"] = json!({ "cents": 999 });
    });
    records.iter_mut().zip(0..).for_each(|(record, place)| record.place = place.into());
    relink(&id("t"), &mut records);
    write(&store, &id("t"), records).await;
    let found = found(&agent).await;
    assert!(found.contains(&(ran as u64, FindingKind::Route)), "{found:?}");
}

/// A clerk's edit of a small payment leads past the director's review, which was never opened.
#[tokio::test]
async fn an_edit_that_skips_a_review_is_reported() {
    let store = MemoryStore::new();
    let agent = Payer::new(store.clone());
    let PayerTurn::PaySmall(review) = agent.start("t", OrderInput { cents: 5 }).await.unwrap() else {
        panic!()
    };
    assert!(matches!(review.edit(&clerk(), |draft| draft.cents = 6).await.unwrap(), PayerTurn::Done(_)));
    agent.verify(&id("t")).await.unwrap();
    let mut records = read(&store, &id("t")).await;
    let started: Value = serde_json::from_slice(&records[0].body).unwrap();
    let key = |node: &str, entered: u64| {
        let id = started["is"]["started"]["id"].as_str().unwrap();
        Digest::of(format!("t\0{id}\0{node}\0{entered}").as_bytes()).to_string()
    };
    // Place 3 opens the review, and place 4 is the edit, which now leads to `pay_large`. Places 5 to 7 are removed.
    edit(&mut records[4], |json| {
        json["is"]["decided"]["to"] = json!("pay_large");
        json["is"]["decided"].as_object_mut().unwrap().remove("proposal");
    });
    records.drain(5..8);
    edit(&mut records[5], |json| {
        *json = json!({ "at": json["at"], "is": { "began": { "node": "pay_large", "key": key("pay_large", 4) } } })
    });
    edit(&mut records[6], |json| {
        json["is"]["ran"]["node"] = json!("pay_large");
        json["is"]["ran"]["wrote"]["log"] = json!(["large 6"]);
    });
    edit(&mut records[7], |json| json["is"]["began"]["key"] = json!(key("wire", 6)));
    records.iter_mut().zip(0..).for_each(|(record, place)| record.place = place.into());
    relink(&id("t"), &mut records);
    write(&store, &id("t"), records).await;
    let found = found(&agent).await;
    assert!(found.contains(&(4, FindingKind::Route)), "{found:?}");
}
