//! An agent with long threads: it counts for a while, then drafts a payment that must be signed.

use std::sync::{Arc, Mutex};

use hitl::{
    ManualClock, Store, Timestamp,
    journal::{JournalKey, JournalKeys},
    prelude::*,
};

/// The draft that is signed.
#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Payment {
    #[garde(range(min = 1, max = 1_000_000))]
    pub cents: u32,
}

#[state]
pub struct Job {
    #[input]
    pub rounds: u32,
    pub round: u32,
    pub more: More,
    pub draft: Payment,
    #[output]
    pub outcome: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum More {
    Yes,
    No,
}

/// The payments that were made, and whether the bank is closed.
#[derive(Clone, Default)]
pub struct Bank(pub Arc<Mutex<Vec<(u32, String)>>>, pub Arc<Mutex<bool>>);

#[node(Job, writes = (round, more))]
async fn count(rounds: u32, round: Option<&u32>) -> Result<(u32, More)> {
    let round = round.copied().unwrap_or(0) + 1;
    Ok((round, if round < rounds { More::Yes } else { More::No }))
}

#[node(Job, writes = draft)]
async fn draft() -> Result<Payment> {
    Ok(Payment { cents: 4_200 })
}

#[interrupt_before(role = "clerk")]
#[node(Job, writes = outcome, effect, idempotent)]
async fn pay(draft: &Approved<Payment>, bank: Deps<Bank>) -> Result<String> {
    if *bank.1.lock().unwrap() {
        return Err(NodeError::msg("the bank is closed"));
    }
    bank.0.lock().unwrap().push((draft.cents, draft.signer().to_string()));
    Ok(format!("{} by {}", draft.cents, draft.signer()))
}

#[node(Job, writes = outcome)]
async fn decline(rejection: &Rejection) -> Result<String> {
    Ok(rejection.note.clone())
}

graph! {
    pub PayAgent<Job, Bank> {
        start -> count -> match more { More::Yes => count, More::No => draft };
        draft -> pay -> end;
        pay { reject -> decline }
        decline -> end;
    }
}

pub fn clerk() -> Operator {
    Operator::new("mara").role("clerk")
}

pub fn key(byte: u8) -> JournalKey {
    JournalKey::new([byte; 32]).unwrap()
}

pub fn keys(byte: u8) -> JournalKeys {
    JournalKeys::new(key(byte))
}

/// Returns an agent with its own clock, and its bank.
pub fn agent(store: impl Store, keys: Option<JournalKeys>) -> (Agent<PayAgent>, Bank) {
    let bank = Bank::default();
    let agent =
        PayAgent::new(bank.clone(), store).clock(ManualClock::at(Timestamp::from_millis(1_763_800_000_000)));
    (
        match keys {
            Some(keys) => agent.journal_keys(keys),
            None => agent,
        },
        bank,
    )
}

/// Starts a thread that first counts `rounds` rounds, and returns the digest of its open review.
pub async fn waiting(agent: &Agent<PayAgent>, thread: &str, rounds: u32) -> hitl::Digest {
    match agent.start(thread, JobInput { rounds }).await.unwrap() {
        PayAgentTurn::Pay(review) => review.digest(),
        other => panic!("{other}"),
    }
}
