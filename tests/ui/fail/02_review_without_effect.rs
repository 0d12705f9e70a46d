//! A node with a review is not declared as an effect, so a crash would repeat it.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before]
#[node(Ticket, writes = outcome)]
async fn pay(draft: &Approved<RefundDraft>) -> Result<Outcome> {
//       ^^^ node `pay` has a review, but is not an effect, so a crash could repeat it: add `effect`
    let _ = draft;
    Ok(Outcome)
}

fn main() {}
