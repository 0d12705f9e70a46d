//! Forged entries in an authenticated thread, by an attacker who has the key of the front end, the key of the runner,
//! or none.

use hitl::{
    Error, MemoryStore, Store, ThreadStatus, Timestamp, Verdict,
    journal::{JournalKeys, Purpose},
    prelude::*,
    store::{Append, Record},
};
use serde_json::{Value, json};

use super::{
    attacks::{id, link, read},
    key_purposes::mac,
    kit::operators::clerk,
    pay_agent::key,
    unsigned_effects::{OrderInput, Payer, PayerTurn},
};

const RUNNER: u8 = 1;
const FRONT: u8 = 2;

/// A thread with a runner and a front end, each of which has its own key.
struct Setup {
    store: MemoryStore,
    runner: Agent<Payer>,
    front: Agent<Payer>,
    digest: hitl::Digest,
}

impl Setup {
    /// Returns a thread that waits for the review before `pay_small`, which was opened at place 3.
    async fn waiting() -> Self {
        let keys =
            JournalKeys::signing(key(RUNNER), Purpose::Running).verifying(key(FRONT), Purpose::Verdicts);
        let fronts =
            JournalKeys::signing(key(FRONT), Purpose::Verdicts).verifying(key(RUNNER), Purpose::Running);
        Self::of(keys, fronts).await
    }

    async fn of(runners: JournalKeys, fronts: JournalKeys) -> Self {
        let store = MemoryStore::new();
        let runner = Payer::new(store.clone()).journal_keys(runners);
        let front = Payer::new(store.clone()).journal_keys(fronts);
        let turn = runner.start("t", OrderInput { cents: 5 }).await.unwrap();
        let PayerTurn::PaySmall(review) = turn else { panic!("{turn}") };
        Self { store, runner, front, digest: review.digest() }
    }

    /// Returns a thread that has ended, with all its payments made.
    async fn paid() -> Self {
        let setup = Self::waiting().await;
        let _ = setup.front.decide("t", setup.digest, &clerk(), Verdict::Approve).await.unwrap();
        assert!(matches!(setup.runner.resume("t").await.unwrap(), PayerTurn::Done(_)));
        setup.runner.verify(&id("t")).await.unwrap();
        setup
    }

    fn approval(&self) -> Value {
        json!({ "decided": {
            "node": "pay_small", "verdict": "approve", "operator": "carl", "digest": self.digest, "to": "pay_small",
            "evidence": { "role": "clerk", "channel": "api" },
        } })
    }

    fn signature(&self) -> Value {
        json!({
            "node": "pay_small", "place": 3, "operator": "carl", "role": "clerk",
            "digest": self.digest, "covers": ["wire"],
        })
    }

    /// Returns a snapshot in which the lane is about to run a node.
    async fn snapshot(&self, signature: &Value, log: &Value, visit: &Value) -> Value {
        let first: Value = serde_json::from_slice(&read(&self.store, &id("t")).await[0].body).unwrap();
        let started = &first["is"]["started"];
        json!({
            "graph": "Payer", "print": started["print"], "id": started["id"], "made": 1, "steps": 0, "sourced": true,
            "lanes": { "0": {
                "fields": { "cents": 5, "draft": { "cents": 5 }, "size": "Small", "log": log },
                "signatures": { "draft": signature },
                "at": { "ready": { "visit": visit, "again_ms": null } },
                "sources": { "from": "0 @", "by": { "cents": "1 @", "draft": "2 propose", "size": "3 measure" } },
            } },
        })
    }

    /// Appends an entry with the MAC of a key, or without a MAC.
    async fn append(&self, by: Option<u8>, is: Value, more: Value) {
        let records = read(&self.store, &id("t")).await;
        let last = records.last().unwrap();
        let before: Value = serde_json::from_slice(&last.body).unwrap();
        let mut body = json!({ "at": before["at"], "is": is });
        let more = more.as_object().unwrap();
        more.iter().for_each(|(member, value)| body[member] = value.clone());
        let (place, text) = (last.place + 1, body.to_string());
        let body = match by {
            Some(key) => mac(key, "t", place.get(), last.hash, &text).into_bytes(),
            None => text.into_bytes(),
        };
        let record =
            Record::new(place, link(last.hash, &body), body).with_snapshot(more.contains_key("snapshot"));
        let append = Append::new(id("t"), vec![record], ThreadStatus::Running)
            .with_due(Some(Timestamp::from_millis(0)))
            .with_after(Some(last.hash));
        self.store.append(append).await.unwrap();
    }

    /// Asserts that the runner rejects the thread and appends nothing.
    async fn assert_rejected(&self, code: &str) -> Error {
        let before = read(&self.store, &id("t")).await;
        let error = self.runner.resume("t").await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(self.runner.verify(&id("t")).await.is_err());
        assert_eq!(read(&self.store, &id("t")).await, before);
        error
    }
}

/// The forged snapshot claims that `pay_small` has run and that `wire` is next.
#[tokio::test]
async fn a_snapshot_under_the_front_key_cannot_claim_effects() {
    let setup = Setup::waiting().await;
    let at = json!({ "node": "wire", "entered": 4 });
    let snapshot = setup.snapshot(&setup.signature(), &json!(["small 5"]), &at).await;
    setup.append(Some(FRONT), setup.approval(), json!({ "snapshot": snapshot })).await;
    let error = setup.assert_rejected("unauthenticated_entry").await;
    assert!(error.to_string().contains("must not sign this kind of entry"), "{error}");
}

#[tokio::test]
async fn a_front_key_cannot_reopen_an_ended_thread() {
    let setup = Setup::paid().await;
    let place = read(&setup.store, &id("t")).await.len();
    let at = json!({ "node": "pay_small", "entered": place, "signed": true });
    let snapshot = setup.snapshot(&setup.signature(), &json!(["small 5"]), &at).await;
    setup.append(Some(FRONT), setup.approval(), json!({ "snapshot": snapshot })).await;
    setup.assert_rejected("unauthenticated_entry").await;

    // The verdict without a snapshot does not restart the thread either.
    let setup = Setup::paid().await;
    setup.append(Some(FRONT), setup.approval(), json!({})).await;
    setup.assert_rejected("damaged").await;
}

#[tokio::test]
async fn a_front_key_cannot_authenticate_runner_records() {
    let says = [
        json!({ "lease": { "by": "x", "until": 1 } }),
        json!({ "spent": [{ "model": "m", "in": 3, "out": 1, "ms": 9 }] }),
    ];
    for more in says {
        let setup = Setup::waiting().await;
        setup.append(Some(FRONT), setup.approval(), more).await;
        setup.assert_rejected("unauthenticated_entry").await;
    }
    // A settlement is rejected if the effect is not in doubt: `pay_small` waits for its review.
    let setup = Setup::waiting().await;
    let how = json!({ "happened": { "wrote": { "log": ["small 5"] } } });
    let settled = json!({ "node": "pay_small", "how": how, "operator": "carl", "to": "wire" });
    setup.append(Some(FRONT), json!({ "settled": settled }), json!({})).await;
    setup.assert_rejected("damaged").await;
}

/// A snapshot under the runner's key cannot restore a genuine signature that is spent.
#[tokio::test]
async fn a_runner_key_cannot_revive_a_spent_signature() {
    let setup = Setup::paid().await;
    let place = read(&setup.store, &id("t")).await.len();
    let at = json!({ "node": "pay_small", "entered": place, "signed": true });
    let snapshot = setup.snapshot(&setup.signature(), &json!(["small 5"]), &at).await;
    setup.append(Some(RUNNER), json!({ "renewed": {} }), json!({ "snapshot": snapshot })).await;
    let error = setup.assert_rejected("unauthenticated_entry").await;
    assert!(error.to_string().contains("a signature of carl"), "{error}");
}

#[tokio::test]
async fn a_runner_key_cannot_change_the_role_of_a_signature() {
    for (role, code) in [("clerk", None), ("director", Some("unauthenticated_entry"))] {
        let setup = Setup::waiting().await;
        let _ = setup.front.decide("t", setup.digest, &clerk(), Verdict::Approve).await.unwrap();
        let mut signature = setup.signature();
        signature["role"] = json!(role);
        let at = json!({ "node": "pay_small", "entered": 4, "signed": true });
        let snapshot = setup.snapshot(&signature, &json!(null), &at).await;
        let mut snapshot = snapshot;
        snapshot["lanes"]["0"]["fields"].as_object_mut().unwrap().remove("log");
        setup.append(Some(RUNNER), json!({ "renewed": {} }), json!({ "snapshot": snapshot })).await;
        match code {
            Some(code) => drop(setup.assert_rejected(code).await),
            None => assert!(matches!(setup.runner.resume("t").await.unwrap(), PayerTurn::Done(_))),
        }
    }
}

/// A program may have both keys. Its verdict entries then have no lease; the lease is in a later entry.
#[tokio::test]
async fn a_program_with_both_keys_decides_and_runs() {
    let both =
        || JournalKeys::signing(key(RUNNER), Purpose::Running).and_signing(key(FRONT), Purpose::Verdicts);
    let setup = Setup::of(both(), both()).await;
    let turn = setup.front.decide("t", setup.digest, &clerk(), Verdict::Approve).await.unwrap();
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
    setup.runner.verify(&id("t")).await.unwrap();
    let records = read(&setup.store, &id("t")).await;
    let entries = records.iter().map(|record| serde_json::from_slice::<Value>(&record.body).unwrap());
    let (mut decided, mut leased) = (0, false);
    for entry in entries.skip(4) {
        if entry["is"].get("decided").is_some() {
            assert!(entry.get("lease").is_none() && entry.get("snapshot").is_none(), "{entry}");
            decided += 1;
        }
        leased |= entry.get("lease").is_some();
    }
    assert!(decided == 1 && leased);
}

/// An attacker without a key appends a verdict with a correct snapshot, at which the tail begins.
#[tokio::test]
async fn an_entry_forged_without_a_key_cannot_be_adopted() {
    let everything = || JournalKeys::new(key(RUNNER));
    let setup = Setup::of(everything(), everything()).await;
    let at = json!({ "node": "pay_small", "entered": 4, "signed": true });
    let mut snapshot = setup.snapshot(&setup.signature(), &json!(null), &at).await;
    snapshot["lanes"]["0"]["fields"].as_object_mut().unwrap().remove("log");
    setup.append(None, setup.approval(), json!({ "snapshot": snapshot })).await;
    let error = setup.assert_rejected("unauthenticated_entry").await;
    assert!(!error.to_string().contains("adopt"), "{error}");
    let error = setup.runner.adopt(&id("t"), &Operator::new("admin"), None).await.unwrap_err();
    assert_eq!(error.code(), "unauthenticated_entry", "{error}");
    assert!(!error.to_string().contains("adopt"), "{error}");

    // An adoption that covers the entry, as an older version of hitl wrote, does not make it valid.
    setup.append(Some(RUNNER), json!({ "adopted": { "operator": "admin" } }), json!({})).await;
    setup.assert_rejected("unauthenticated_entry").await;
    let error = setup.runner.history(&id("t"), 4, 1).await.unwrap_err();
    assert_eq!(error.code(), "unauthenticated_entry", "{error}");
    // A program without keys shows the added entry.
    assert_eq!(Payer::new(setup.store.clone()).history(&id("t"), 4, 1).await.unwrap().len(), 1);
}
