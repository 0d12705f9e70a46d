//! A pending edit, which may sign the next review, and forgeries of it with the runner's key.

use hitl::{
    Digest, ManualClock, MemoryStore, Store, Timestamp,
    journal::{JournalKeys, Purpose},
    prelude::*,
    store::Record,
};
use serde_json::{Value, json};

use super::{
    attacks::{id, link, read, write},
    key_purposes::mac,
    kit::{payment::Size, world::World},
    pay_agent::{Payment, key},
};

#[state]
pub struct Order {
    #[input]
    pub iban: String,
    pub draft: Payment,
    pub size: Size,
    #[reduce(append)]
    #[output]
    pub receipts: Vec<String>,
}

#[node(Order, writes = draft)]
async fn propose() -> Result<Payment> {
    Ok(Payment { cents: 5 })
}

#[node(Order, writes = size)]
async fn measure(draft: &Payment, world: Deps<World>) -> Result<Size> {
    world.look()?;
    Ok(if draft.cents > 100 { Size::Large } else { Size::Small })
}

#[interrupt_before(role = "clerk", expires = "24h")]
#[node(Order, writes = receipts, effect)]
async fn pay_small(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("small {}", draft.cents), cx.idempotency_key()).await?])
}

/// The review shows an account, and its signature covers a second effect.
#[interrupt_before(role = "clerk", covers = (bonus), show = iban)]
#[node(Order, writes = receipts, effect)]
async fn pay_large(
    draft: &Approved<Payment>,
    iban: &str,
    world: Deps<World>,
    cx: &Cx,
) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("large {} to {iban}", draft.cents), cx.idempotency_key()).await?])
}

#[node(Order, writes = receipts, effect)]
async fn bonus(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("bonus of {}", draft.cents), cx.idempotency_key()).await?])
}

#[node(Order, writes = receipts)]
async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

graph! {
    pub Payer<Order, World> {
        start -> propose -> measure -> match size { Size::Small => pay_small, Size::Large => pay_large };
        pay_small -> end;
        pay_large -> bonus -> end;
        pay_small { reject -> refuse }
        pay_large { reject -> refuse }
        refuse -> end;
    }
}

fn payer(store: &MemoryStore, world: &World, keys: Option<JournalKeys>) -> Agent<Payer> {
    let clock = ManualClock::at(Timestamp::from_millis(1_763_800_000_000));
    let agent = Payer::new(world.clone(), store.clone()).clock(clock);
    match keys {
        Some(keys) => agent.journal_keys(keys),
        None => agent,
    }
}

/// Returns the keys of a process that runs threads and records verdicts, with one key for each.
fn both() -> JournalKeys {
    JournalKeys::signing(key(1), Purpose::Running).and_signing(key(2), Purpose::Verdicts)
}

/// Starts a thread in which mara has edited the small payment into a large one, and which fails while the world is down.
async fn edited(store: &MemoryStore, world: &World, keys: Option<JournalKeys>) -> Agent<Payer> {
    let agent = payer(store, world, keys);
    let turn = agent.start("t", OrderInput { iban: "DE1".into() }).await.unwrap();
    let PayerTurn::PaySmall(review) = turn else { panic!("{turn}") };
    world.set_down(true);
    let turn = review.edit(&super::pay_agent::clerk(), |draft| draft.cents = 999).await.unwrap();
    assert!(matches!(turn, PayerTurn::Failed(_)), "{turn}");
    agent
}

/// Changes the newest snapshot as an attacker with the runner's key could, and makes it the last entry.
async fn forge(store: &MemoryStore, change: impl FnOnce(&mut Value)) {
    let mut records = read(store, &id("t")).await;
    let at = records.iter().rposition(|record| record.snapshot).unwrap();
    records.truncate(at + 1);
    let Record { place, body, .. } = records.pop().unwrap();
    let mut entry: Value = serde_json::from_slice(&body).unwrap();
    entry.as_object_mut().unwrap().remove("auth");
    change(&mut entry["snapshot"]["lanes"]["0"]);
    let before: Digest = records.last().unwrap().hash;
    let body = mac(1, "t", place.get(), before, &entry.to_string()).into_bytes();
    records.push(Record::new(place, link(before, &body), body).with_snapshot(true));
    write(store, &id("t"), records).await;
}

/// Resumes the thread, which fails while the world is down, until a snapshot contains the edit.
async fn until_frozen(store: &MemoryStore, agent: &Agent<Payer>) {
    while store.tail(&id("t")).await.unwrap().unwrap().before.is_none() {
        let _ = agent.resume("t").await.unwrap();
    }
}

#[tokio::test]
async fn a_pending_edit_cannot_claim_other_shown_values() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 9] = [
        ("nothing", |_| {}),
        ("covered and shown", |lane| {
            lane["pending"]["covered"] = json!(["bonus"]);
            lane["pending"]["shown"] = json!({ "iban": "DE1" });
        }),
        ("covered", |lane| lane["pending"]["covered"] = json!(["bonus"])),
        ("shown", |lane| lane["pending"]["shown"] = json!({ "iban": "DE1" })),
        ("the operator", |lane| lane["pending"]["by"]["operator"] = json!("eve")),
        ("the node", |lane| lane["pending"]["before"] = json!(["pay_small", "pay_large"])),
        ("the deadline", |lane| lane["pending"]["until_ms"] = json!(1_763_900_000_000_u64)),
        ("no deadline", |lane| drop(lane["pending"].as_object_mut().unwrap().remove("until_ms"))),
        ("the draft", |lane| lane["pending"]["draft"] = json!({ "cents": 9_999 })),
    ];
    for (what, change) in changes {
        let (store, world) = (MemoryStore::new(), World::default());
        let agent = edited(&store, &world, Some(both())).await;
        until_frozen(&store, &agent).await;
        forge(&store, change).await;
        world.set_down(false);
        // By this time the lease of the runner that took the snapshot has expired.
        let later = ManualClock::at(Timestamp::from_millis(1_763_800_000_000 + 3_600_000));
        let turn = payer(&store, &world, Some(both())).clock(later).resume("t").await;
        match what {
            // The review covers and shows more than mara saw, so it waits for a verdict.
            "nothing" => assert!(matches!(turn, Ok(PayerTurn::PayLarge(_))), "{what}"),
            _ => assert_eq!(turn.unwrap_err().code(), "unauthenticated_entry", "{what}"),
        }
        assert_eq!(world.calls(), 0, "{what}");
    }
}

/// In a thread that was started without keys, a pending edit continues after an operator has adopted the thread.
#[tokio::test]
async fn an_edit_in_an_adopted_thread_continues() {
    for frozen in [false, true] {
        let (store, world) = (MemoryStore::new(), World::default());
        let old = edited(&store, &world, None).await;
        if frozen {
            until_frozen(&store, &old).await;
        }
        world.set_down(false);
        let agent = payer(&store, &world, Some(both()));
        assert_eq!(agent.resume("t").await.unwrap_err().code(), "unauthenticated_entry");
        agent.adopt(&id("t"), &super::pay_agent::clerk(), None).await.unwrap();
        let turn = agent.resume("t").await.unwrap();
        let PayerTurn::PayLarge(review) = turn else { panic!("{turn}") };
        assert_eq!(review.proposed_by(), Some("mara"));
        let turn = review.approve(&super::pay_agent::clerk()).await.unwrap();
        assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
        agent.verify(&id("t")).await.unwrap();
    }
}

/// An edit must lead to the node that the graph determines for its draft. `verify` reports any other node, even one
/// that the thread could be at.
#[tokio::test]
async fn an_edit_with_another_next_node_is_reported() {
    let from = r#""from":{"after":"propose"}"#;
    for (what, old, new) in [
        ("nothing", "", ""),
        ("another node", r#""to":"measure""#, r#""to":"pay_large""#),
        ("an effect", r#""to":"measure""#, r#""to":"pay_small""#),
        ("another source", from, r#""from":{"at":"measure"}"#),
    ] {
        let (store, world) = (MemoryStore::new(), World::default());
        let agent = edited(&store, &world, None).await;
        let mut records = read(&store, &id("t")).await;
        let is_edit = |record: &Record| record.body.windows(6).any(|part| part == br#"{"edit"#);
        let at = records.iter().position(is_edit).unwrap();
        // Later entries would not be consistent with the change.
        records.truncate(at + 1);
        records[at].body = super::attacks::replace(&records[at].body, old, new);
        super::attacks::relink(&id("t"), &mut records);
        write(&store, &id("t"), records).await;
        let found = agent.audit(&id("t"), None).await.unwrap().findings;
        let found: Vec<_> = found.iter().map(|finding| (finding.place.get(), finding.kind)).collect();
        let expected = if what == "nothing" { vec![] } else { vec![(at as u64, hitl::FindingKind::Route)] };
        assert_eq!(found, expected, "{what}");
    }
}
