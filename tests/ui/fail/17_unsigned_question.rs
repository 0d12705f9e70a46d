//! An effect reads a question, which no signature covers.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &Approved<RefundDraft>, question: Option<&Question>) -> Result<Outcome> {
//                                          ^^^^^^^^ node `pay` acts on `question`, which nobody signs: let an earlier node write it to a field that the review shows, or write `unsigned(question)` if nobody need sign it
    Ok(Outcome)
}

fn main() {}
