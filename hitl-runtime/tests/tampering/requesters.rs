//! Reviews that take no signature of the requester, with separate keys: a runner writes the snapshots, which say whose
//! signature is the requester's.

use std::sync::{Arc, Mutex};

use hitl::{
    ManualClock, MemoryStore, Operator, Timestamp,
    journal::{Evidence, JournalKeys, Purpose},
    prelude::*,
};

use super::{
    key_purposes::rewrite_last_snapshot,
    pay_agent::{More, Payment, key},
};

#[state]
pub struct Job {
    #[input]
    pub cents: u32,
    pub draft: Payment,
    pub round: u32,
    pub more: More,
    #[output]
    #[reduce(append)]
    pub log: Vec<String>,
}

type Bank = Arc<Mutex<(bool, Vec<String>)>>;

#[node(Job, writes = draft)]
async fn propose(cents: u32) -> Result<Payment> {
    Ok(Payment { cents })
}

#[interrupt_before(role = "clerk", covers = wire)]
#[node(Job, writes = log, effect)]
async fn note(draft: &Approved<Payment>) -> Result<Vec<String>> {
    Ok(vec![format!("noted {}", draft.cents)])
}

#[interrupt_before(role = "clerk", covers = wire, not = requester)]
#[node(Job, writes = log, effect)]
async fn hold(draft: &Approved<Payment>) -> Result<Vec<String>> {
    Ok(vec![format!("held {}", draft.cents)])
}

#[node(Job, writes = (round, more))]
async fn count(round: Option<&u32>) -> Result<(u32, More)> {
    let round = round.copied().unwrap_or(0) + 1;
    Ok((round, if round < 90 { More::Yes } else { More::No }))
}

#[node(Job, writes = log, effect)]
async fn wire(draft: &Approved<Payment>, bank: Deps<Bank>) -> Result<Vec<String>> {
    let mut bank = bank.lock().unwrap();
    if !bank.0 {
        return Err(NodeError::not_done("the bank is closed"));
    }
    bank.1.push(format!("{} by {}", draft.cents, draft.signer()));
    Ok(vec![format!("wired {}", draft.cents)])
}

#[node(Job, writes = log)]
async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

graph! {
    Wires<Job, Bank> {
        start -> propose -> match draft { draft if draft.cents > 500 => hold, _ => note };
        hold -> count -> match more { More::Yes => count, More::No => wire };
        note -> count;
        wire -> end;
        hold { reject -> refuse }
        note { reject -> refuse }
        refuse -> end;
    }
}

const RUNNER: u8 = 1;
const FRONT: u8 = 2;

/// A program of both rooms, whose keys are separate: its verdicts have another key than its runs.
fn office(store: &MemoryStore, bank: &Bank) -> Agent<Wires> {
    let keys = JournalKeys::signing(key(RUNNER), Purpose::Running).and_signing(key(FRONT), Purpose::Verdicts);
    let clock = ManualClock::at(Timestamp::from_millis(4_000_000_000_000));
    Wires::new(bank.clone(), store.clone()).journal_keys(keys).clock(clock).step_limit(1_000)
}

fn clerk(name: &str, subject: &str) -> Operator {
    let evidence = Evidence::through("http").with_issuer(Some("https://login.example".into()));
    Operator::new(name).role("clerk").with_evidence(evidence.with_subject(Some(subject.into())))
}

/// Returns a thread that mara started, which a namesake has signed by an edit that leads to the review, and whose
/// journal has a snapshot with that signature. `wire` has failed, and nothing happened.
async fn held() -> MemoryStore {
    let store = MemoryStore::new();
    let agent = office(&store, &Bank::default());
    let WiresTurn::Note(review) =
        agent.start_as(&clerk("mara", "1"), "t", JobInput { cents: 9 }).await.unwrap()
    else {
        panic!()
    };
    let patch = serde_json::json!({ "cents": 900 });
    let edit = Verdict::Edit { patch };
    let turn = agent.decide("t", review.digest(), &clerk("mara", "2"), edit).await.unwrap();
    assert!(matches!(turn, WiresTurn::Failed(_)), "{turn}");
    store
}

#[tokio::test]
async fn a_namesake_is_told_from_the_requester_by_their_subject() {
    let (store, bank) = (held().await, Bank::default());
    bank.lock().unwrap().0 = true;
    let agent = office(&store, &bank);
    assert!(matches!(agent.resume("t").await.unwrap(), WiresTurn::Done(_)));
    assert_eq!(bank.lock().unwrap().1, ["900 by mara"]);
    agent.verify("t").await.unwrap();
}

/// An attacker with the key of a runner rewrites the last snapshot.
#[tokio::test]
async fn a_runner_key_does_not_change_whose_signature_it_is() {
    for (from, to) in [
        (r#""by_requester":false"#, r#""by_requester":true"#),
        (r#""requesters":{"started":{"name":"mara","#, r#""requesters":{"started":{"name":"ana","#),
        (
            r#""issuer":"https://login.example","subject":"1""#,
            r#""issuer":"https://login.example","subject":"2""#,
        ),
    ] {
        let (store, bank) = (held().await, Bank::default());
        bank.lock().unwrap().0 = true;
        rewrite_last_snapshot(&store, RUNNER, from, to).await;
        let agent = office(&store, &bank);
        let turn = agent.resume("t").await;
        assert!(bank.lock().unwrap().1.is_empty(), "{to}: {turn:?}");
        assert!(agent.verify("t").await.is_err(), "{to}");
    }
}
