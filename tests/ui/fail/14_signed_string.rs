//! A review of a type that is not the program's own.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn send(plan: &Approved<String>) -> Result<Outcome> {
//                            ^^^^^^ `String` is signed by a person, so it must be a draft that derives `Validate`
//  | let a person sign a `#[draft]` of yours with a field of type `String`
    Ok(Outcome)
}

fn main() {}
