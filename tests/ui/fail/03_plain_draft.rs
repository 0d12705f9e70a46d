//! A person signs, and the node takes the draft unsigned.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &RefundDraft) -> Result<Outcome> {
    Ok(Outcome)
}

fn main() {}
