//! A node with a review takes the draft as unsigned.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &RefundDraft) -> Result<Outcome> {
//                  ^^^^^^^^^^^^ a person signs before node `pay`, and it takes `draft` unsigned: write `draft: &Approved<RefundDraft>`, which only a verdict can mint
    Ok(Outcome)
}

fn main() {}
