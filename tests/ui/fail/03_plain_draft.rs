//! A node with a review takes the draft as unsigned.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &RefundDraft) -> Result<Outcome> {
//                  ^^^^^^^^^^^^ node `pay` has a review, but takes `draft` unsigned: write `draft: &Approved<RefundDraft>`, which only an approval creates
    Ok(Outcome)
}

fn main() {}
