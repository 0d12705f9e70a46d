//! A person signs, and the node takes the draft unsigned.
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
