//! A `match` does not cover all cases.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> triage -> match risk { Risk::High => draft, Risk::Low => cancel };
//                               ^^^^ `&fixture::Risk::Odd` not covered
        draft -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
