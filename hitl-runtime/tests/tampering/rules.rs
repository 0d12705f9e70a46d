//! Signatures of rules with separate keys: the entry is a runner's, so the runner that goes on evaluates the rule itself.

use std::sync::{Arc, Mutex};

use hitl::{
    ManualClock, MemoryStore, Timestamp,
    journal::{JournalKeys, Purpose},
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

#[derive(Clone, Default)]
struct Bank(Arc<Mutex<(bool, Vec<String>)>>);

impl Bank {
    fn open() -> Self {
        let bank = Self::default();
        bank.0.lock().unwrap().0 = true;
        bank
    }

    fn paid(&self) -> Vec<String> {
        self.0.lock().unwrap().1.clone()
    }
}

#[node(Job, writes = draft)]
async fn propose(cents: u32) -> Result<Payment> {
    Ok(Payment { cents })
}

#[interrupt_before(role = "clerk", covers = wire, when = draft.cents > 100)]
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
    let mut bank = bank.0.lock().unwrap();
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
        start -> propose -> hold -> count -> match more { More::Yes => count, More::No => wire };
        wire -> end;
        hold { reject -> refuse }
        refuse -> end;
    }
}

const RUNNER: u8 = 1;
const FRONT: u8 = 2;

fn runner(store: &MemoryStore, bank: &Bank) -> Agent<Wires> {
    let keys = JournalKeys::signing(key(RUNNER), Purpose::Running).verifying(key(FRONT), Purpose::Verdicts);
    let clock = ManualClock::at(Timestamp::from_millis(4_000_000_000_000));
    Wires::new(bank.clone(), store.clone()).journal_keys(keys).clock(clock).step_limit(1_000)
}

/// Returns a thread whose rule signed 90 cents before `hold`, and whose journal has a snapshot with that signature. `wire`
/// has failed, and nothing happened.
async fn held() -> MemoryStore {
    let store = MemoryStore::new();
    let turn = runner(&store, &Bank::default()).start("t", JobInput { cents: 90 }).await.unwrap();
    assert!(matches!(turn, WiresTurn::Failed(_)), "{turn}");
    store
}

#[tokio::test]
async fn a_rule_signature_in_a_snapshot_is_authentic() {
    let (store, bank) = (held().await, Bank::open());
    let agent = runner(&store, &bank);
    assert!(matches!(agent.resume("t").await.unwrap(), WiresTurn::Done(_)));
    assert_eq!(bank.paid(), ["90 by the rule `when = draft.cents > 100`"]);
    agent.verify("t").await.unwrap();
}

/// An attacker with the key of a runner rewrites the last snapshot.
#[tokio::test]
async fn a_runner_key_pays_nothing_that_the_rule_asks_about() {
    for (from, to) in [
        // Another draft under the genuine signature of the rule.
        (r#""draft":{"cents":90}"#, r#""draft":{"cents":99000}"#),
        // A signature that no entry gives.
        (r#""rule":"draft.cents > 100""#, r#""rule":"draft.cents > 100000""#),
        (r#""rule":"draft.cents > 100""#, r#""operator":"mara","role":"clerk""#),
    ] {
        let (store, bank) = (held().await, Bank::open());
        rewrite_last_snapshot(&store, RUNNER, from, to).await;
        let agent = runner(&store, &bank);
        let turn = agent.resume("t").await;
        assert!(bank.paid().is_empty(), "{to}: {turn:?}");
        assert!(agent.verify("t").await.is_err(), "{to}");
    }
}
