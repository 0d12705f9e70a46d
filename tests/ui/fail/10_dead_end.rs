//! A node without an outgoing edge.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> plan }
//                          ^^^^ `plan` has no outgoing edge: write `plan -> …;`, or `plan -> end;`
    }
}

fn main() {}
