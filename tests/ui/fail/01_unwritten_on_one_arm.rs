//! The field is written on one arm of a `match` only.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = outcome)]
async fn answer(plan: &str) -> Result<Outcome> {
    Ok(Outcome)
}

graph! {
    Agent<Ticket> {
        start -> triage -> match risk { Risk::High => plan, Risk::Low | Risk::Odd => answer };
//                                                                                   ^^^^^^ node `answer` reads `plan`, but a path reaches it unwritten: `start -> triage -> answer`; lead that path through `plan`, which writes it, or take `Option<&str>`
        plan -> answer -> end;
    }
}

fn main() {}
