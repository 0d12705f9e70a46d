//! A node reads a field that is not written on every path to the node.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> plan -> execute -> end;
//                       ^^^^^^^ node `execute` reads `draft`, but a path reaches it unwritten: `start -> plan -> execute`; no other node writes it: add one with `writes = draft`, or make the field `#[input]`
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
