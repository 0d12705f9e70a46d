//! An effect without a signature.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = outcome, effect)]
//                               ^^^^^^ effect node `pay` can be reached with no review: take a signed field, `draft: &Approved<…>`, with `#[interrupt_before]` here or on an earlier node, or declare `risk = low`
async fn pay(message: &str) -> Result<Outcome> {
    Ok(Outcome)
}

fn main() {}
