//! A reviewed node without an outgoing edge for its signature.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute;
//                        ^^^^^^^ `execute` has no edge to follow after an approval: write `execute -> …;`, or `execute -> end;`
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
