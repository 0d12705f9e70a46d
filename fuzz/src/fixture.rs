//! The agent that the fuzz targets use: a fork, two reviews, a question, an effect, a retry.

use hitl::{ManualClock, Timestamp, prelude::*};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Draft {
    #[garde(pattern(r"^A-[0-9]{4}$"))]
    pub order: String,
    #[garde(range(min = 1, max = 10_000))]
    pub cents: u32,
    #[garde(inner(length(max = 20)))]
    pub notes: Vec<String>,
    #[garde(skip)]
    pub by: Option<Box<By>>,
}

#[draft]
#[derive(Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct By {
    pub name: String,
    pub floor: f64,
}

#[state]
pub struct Ticket {
    #[input]
    pub message: String,
    #[reduce(append)]
    pub log: Vec<String>,
    pub draft: Draft,
    pub letter: Draft,
    #[output]
    pub outcome: String,
}

#[node(Ticket, writes = (draft, letter))]
async fn draft(message: &str, question: Option<&Question>) -> Result<(Draft, Draft)> {
    let notes = question.map(|question| question.text.chars().take(20).collect()).into_iter().collect();
    let by = Some(Box::new(By { name: message.chars().take(9).collect(), floor: 2.5 }));
    let draft = Draft { order: "A-9133".into(), cents: 149, notes, by };
    Ok((draft.clone(), draft))
}

#[interrupt_before(role = "payer", expires = "24h", remind = "4h")]
#[node(Ticket, writes = log, effect)]
async fn pay(draft: &Approved<Draft>) -> Result<Vec<String>> {
    Ok(vec![format!("paid {}", draft.cents)])
}

#[interrupt_before]
#[node(Ticket, writes = log, effect, idempotent, retries = 1)]
async fn send(letter: &Approved<Draft>, cx: &Cx) -> Result<Vec<String>> {
    if letter.cents == 13 && cx.attempt() == 1 {
        return Err(NodeError::msg("once more"));
    }
    Ok(vec![format!("sent {}", letter.cents)])
}

#[node(Ticket, writes = log)]
async fn decline(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.reason.to_string()])
}

#[node(Ticket, writes = log)]
async fn decline_letter(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

#[node(Ticket, writes = outcome)]
async fn close(log: Option<&Vec<String>>) -> Result<String> {
    Ok(log.map_or(0, Vec::len).to_string())
}

graph! {
    pub Desk<Ticket> {
        start -> draft -> (pay, send) -> close -> end;
        pay { reject -> decline, expire -> decline }
        decline -> close;
        send { reject -> decline_letter }
        decline_letter -> close;
    }
}

/// Creates an agent on a store, with a clock of its own.
pub fn agent_on(store: MemoryStore) -> Agent<Desk> {
    Desk::new(store).clock(ManualClock::at(Timestamp::from_millis(1_800_000_000_000))).step_limit(100)
}

/// Runs a future to completion in a runtime whose timers advance without waiting.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(work)
}
