//! A node without an outgoing edge.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> plan }
//                          ^^^^ `plan` has no outgoing edge: write `plan -> …;`, or `plan -> end;`
    }
}

fn main() {}
