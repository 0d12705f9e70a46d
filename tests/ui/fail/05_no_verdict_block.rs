//! A review without a verdict block.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
//                        ^^^^^^^ node `execute` has a review, but no `reject` edge: add `execute { reject -> … }`
    }
}

fn main() {}
