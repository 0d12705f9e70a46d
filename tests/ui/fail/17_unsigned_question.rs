//! An effect reads a question, which no signature covers.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &Approved<RefundDraft>, question: Option<&Question>) -> Result<Outcome> {
//                                          ^^^^^^^^ node `pay` reads `question`, which no signature covers: let an earlier node write it to a field that the review shows, or add `unsigned(question)` if it needs no signature
    Ok(Outcome)
}

fn main() {}
