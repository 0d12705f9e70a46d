//! Key rotation, and separate keys for the front and the runner.

use std::sync::Arc;

use hitl::{
    MemoryStore, Verdict,
    journal::{JournalKeys, Purpose},
};

use super::{
    attacks::{id, link, read, relink, write},
    pay_agent::{Bank, PayAgentTurn, agent, clerk, key, keys, waiting},
};

#[tokio::test]
async fn a_rotated_key_verifies_and_a_removed_one_does_not() {
    let store = MemoryStore::new();
    let (old, _) = agent(store.clone(), Some(keys(1)));
    let digest = waiting(&old, "t", 2).await;
    let rotated = keys(2).verifying(key(1), Purpose::Everything);
    let (new, Bank(paid, _)) = agent(store.clone(), Some(rotated));
    let _ = new.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap();
    assert_eq!(paid.lock().unwrap().len(), 1);
    new.verify(&id("t")).await.unwrap();
    // Key 1 alone does not verify the new entries, and key 2 alone does not verify the old ones.
    for byte in [1, 2] {
        let (other, _) = agent(store.clone(), Some(keys(byte)));
        assert_eq!(other.turn("t").await.unwrap_err().code(), "unauthenticated_entry");
    }
}

fn runners() -> JournalKeys {
    JournalKeys::signing(key(1), Purpose::Running).verifying(key(2), Purpose::Verdicts)
}

fn fronts() -> JournalKeys {
    JournalKeys::signing(key(2), Purpose::Verdicts).verifying(key(1), Purpose::Running)
}

#[tokio::test]
async fn the_front_records_a_verdict_and_the_runner_runs_it() {
    let store = MemoryStore::new();
    let (runner, Bank(paid, _)) = agent(store.clone(), Some(runners()));
    let (front, Bank(paid_by_front, _)) = agent(store.clone(), Some(fronts()));
    let digest = waiting(&runner, "t", 2).await;

    let error = runner.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap_err();
    assert_eq!(error.code(), "not_set_up", "{error}");
    let _ = front.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap();
    assert!(paid.lock().unwrap().is_empty() && paid_by_front.lock().unwrap().is_empty());

    assert!(matches!(runner.resume("t").await.unwrap(), PayAgentTurn::Done(_)));
    assert_eq!(*paid.lock().unwrap(), [(4_200, "mara".to_owned())]);
    front.verify(&id("t")).await.unwrap();
}

/// A graph whose rejection leads straight to the end.
mod offers {
    use hitl::prelude::*;

    #[draft]
    #[derive(Clone, Debug, PartialEq, Validate)]
    pub struct Offer {
        #[garde(range(max = 1_000))]
        pub cents: u32,
    }

    #[state]
    pub struct Sale {
        #[input]
        #[output]
        pub memo: String,
        pub offer: Offer,
    }

    #[node(Sale, writes = offer)]
    async fn draft(memo: &str) -> Result<Offer> {
        Ok(Offer { cents: u32::try_from(memo.len())? })
    }

    #[interrupt_before]
    #[node(Sale, effect)]
    async fn send(offer: &Approved<Offer>) -> Result<()> {
        let _ = offer.cents;
        Ok(())
    }

    graph! {
        pub Offers<Sale> {
            start -> draft -> send -> end;
            send { reject -> end }
        }
    }
}

#[tokio::test]
async fn a_thread_that_a_front_led_to_its_end_is_ended_by_a_runner() {
    use offers::{Offers, OffersTurn, SaleInput};
    for by_sweep in [true, false] {
        let store = MemoryStore::new();
        let runner = Offers::new(store.clone()).journal_keys(runners());
        let front = Offers::new(store.clone()).journal_keys(fronts());
        let OffersTurn::Send(review) = runner.start("t", SaleInput { memo: "m".into() }).await.unwrap()
        else {
            panic!()
        };
        let rejected = Verdict::Reject { reason: hitl::Reason::BadPlan, note: String::new() };
        let turn = front.decide("t", review.digest(), &clerk(), rejected).await.unwrap();
        assert!(matches!(turn, OffersTurn::Running(_)), "{turn}");
        let view = front.view("t").await.unwrap();
        assert_eq!((view.standing.as_str(), view.stalled), ("running", true));
        let turn = if by_sweep {
            assert_eq!(runner.sweep().await.unwrap().len(), 1);
            runner.turn("t").await.unwrap()
        } else {
            runner.resume("t").await.unwrap()
        };
        assert!(matches!(turn, OffersTurn::Done(_)), "{turn}");
        front.verify(&id("t")).await.unwrap();
    }
}

#[tokio::test]
async fn a_verdict_under_the_runner_key_is_rejected() {
    let store = MemoryStore::new();
    // A thief of the runner's key uses it for every purpose.
    let (thief, _) = agent(store.clone(), Some(keys(1)));
    let digest = waiting(&thief, "t", 2).await;
    *thief_closed(&thief, &store, digest).await.lock().unwrap() = true;
    let (runner, Bank(paid, _)) = agent(store.clone(), Some(runners()));
    for error in [runner.resume("t").await.unwrap_err(), runner.verify(&id("t")).await.unwrap_err()] {
        assert_eq!(error.code(), "unauthenticated_entry");
        assert!(error.to_string().contains("must not sign this kind of entry"), "{error}");
    }
    assert!(paid.lock().unwrap().is_empty());
}

/// Approves the payment with the stolen key, in a program whose bank is closed, and returns the switch of that bank.
async fn thief_closed(
    _: &hitl::Agent<super::pay_agent::PayAgent>,
    store: &MemoryStore,
    digest: hitl::Digest,
) -> Arc<std::sync::Mutex<bool>> {
    let (thief, Bank(_, closed)) = agent(store.clone(), Some(keys(1)));
    *closed.lock().unwrap() = true;
    let _ = thief.decide("t", digest, &clerk(), Verdict::Approve).await;
    closed
}

#[tokio::test]
async fn a_snapshot_under_the_runner_key_gives_no_signature() {
    let store = MemoryStore::new();
    let (thief, Bank(_, closed)) = agent(store.clone(), Some(keys(1)));
    *closed.lock().unwrap() = true;
    let digest = waiting(&thief, "t", 2).await;
    let _ = thief.decide("t", digest, &clerk(), Verdict::Approve).await;
    // Until the signature is in a snapshot, and no verdict is in the tail.
    let signs = async || {
        let tail = hitl::Store::tail(&store, &id("t")).await.unwrap().unwrap();
        tail.records[0].place > 0
    };
    for _ in 0..60 {
        if signs().await {
            break;
        }
        let _ = thief.resume("t").await;
    }
    assert!(signs().await);
    let (runner, Bank(paid, _)) = agent(store.clone(), Some(runners()));
    let error = runner.resume("t").await.unwrap_err();
    assert_eq!(error.code(), "unauthenticated_entry", "{error}");
    assert!(paid.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_program_without_keys_cannot_write_authenticated_threads() {
    let store = MemoryStore::new();
    let digest = waiting(&agent(store.clone(), Some(keys(1))).0, "t", 2).await;
    let before = read(&store, &id("t")).await;
    let (keyless, Bank(paid, _)) = agent(store.clone(), None);
    let error = keyless.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap_err();
    assert_eq!(error.code(), "not_set_up", "{error}");
    assert!(error.to_string().contains("HITL_JOURNAL_KEY"), "{error}");
    assert!(paid.lock().unwrap().is_empty());
    assert_eq!(read(&store, &id("t")).await, before);
}

/// A MAC cannot show that the end of a journal was cut off, as documented; `verify --against` shows it.
#[tokio::test]
async fn a_truncated_journal_is_detected_only_by_a_kept_head() {
    let store = MemoryStore::new();
    let (honest, _) = agent(store.clone(), Some(keys(1)));
    waiting(&honest, "t", 2).await;
    let head = honest.verify(&id("t")).await.unwrap();
    let mut records = read(&store, &id("t")).await;
    records.pop();
    relink(&id("t"), &mut records);
    write(&store, &id("t"), records).await;
    honest.verify(&id("t")).await.unwrap();
    let error = honest.verify_against(&head).await.unwrap_err();
    assert!(error.to_string().contains("the end was cut off"), "{error}");
}

/// Rewrites the last snapshot of the thread `t`, as an attacker with this key does, and drops the entries after it.
pub async fn rewrite_last_snapshot(store: &MemoryStore, key: u8, from: &str, to: &str) {
    let thread = id("t");
    let mut records = read(store, &thread).await;
    let last = records.iter().rposition(|record| record.snapshot).unwrap();
    records.truncate(last + 1);
    let (before, record) = (records[last - 1].hash, &mut records[last]);
    let text = String::from_utf8(record.body.clone()).unwrap();
    let text = format!("{}}}", text.split(r#","auth":{"#).next().unwrap());
    assert!(text.contains(from), "{text}");
    record.body = mac(key, "t", record.place.get(), before, &text.replace(from, to)).into_bytes();
    record.hash = link(before, &record.body);
    write(store, &thread, records).await;
}

/// Computes a MAC by hand, as documented, and returns the body with it.
pub fn mac(key: u8, thread: &str, place: u64, before: hitl::Digest, body: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};

    let id = self::key(key).id().to_owned();
    let mut message = b"hitl journal entry mac 1\0".to_vec();
    for text in [id.as_str(), thread] {
        message.extend_from_slice(&(text.len() as u64).to_be_bytes());
        message.extend_from_slice(text.as_bytes());
    }
    message.extend_from_slice(&place.to_be_bytes());
    message.extend_from_slice(before.as_bytes());
    message.extend_from_slice(hitl::Digest::of(body.as_bytes()).as_bytes());
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&[key; 32]).unwrap();
    mac.update(&message);
    let mac = hitl::Digest::from_bytes(mac.finalize().into_bytes().into());
    format!("{},\"auth\":{{\"key\":\"{id}\",\"mac\":\"{mac}\"}}}}", &body[..body.len() - 1])
}

#[tokio::test]
async fn a_fork_under_the_runner_key_carries_no_signature() {
    let store = MemoryStore::new();
    let (thief, Bank(_, closed)) = agent(store.clone(), Some(keys(1)));
    *closed.lock().unwrap() = true;
    let digest = waiting(&thief, "t", 2).await;
    let _ = thief.decide("t", digest, &clerk(), Verdict::Approve).await;
    while hitl::Store::tail(&store, &id("t")).await.unwrap().unwrap().before.is_none() {
        let _ = thief.resume("t").await;
    }
    // The signed state becomes the first entry of a thread with the same name and id.
    let tail = hitl::Store::tail(&store, &id("t")).await.unwrap().unwrap();
    let first: serde_json::Value = serde_json::from_slice(&read(&store, &id("t")).await[0].body).unwrap();
    let entry: serde_json::Value = serde_json::from_slice(&tail.records[0].body).unwrap();
    let mut started = first["is"].clone();
    started["started"]["input"] = serde_json::json!({});
    started["started"].as_object_mut().unwrap().remove("to");
    let body = serde_json::json!({ "at": entry["at"], "is": started, "snapshot": entry["snapshot"] });
    let genesis = hitl::Digest::of(b"hitl journal 1\0t");
    let body = mac(1, "t", 0, genesis, &body.to_string()).into_bytes();
    let hash = super::attacks::link(genesis, &body);
    write(&store, &id("t"), vec![hitl::store::Record::new(0, hash, body).with_snapshot(true)]).await;

    // A program that accepts the runner's key for every purpose would pay.
    let (credulous, _) = agent(store.clone(), Some(keys(1)));
    let _ = credulous.turn("t").await.unwrap();
    let (runner, Bank(paid, _)) = agent(store.clone(), Some(runners()));
    let error = runner.resume("t").await.unwrap_err();
    assert_eq!(error.code(), "unauthenticated_entry", "{error}");
    assert!(paid.lock().unwrap().is_empty());
}
