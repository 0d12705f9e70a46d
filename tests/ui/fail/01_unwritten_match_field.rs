//! A `match` reads a field that no node has written.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> plan -> match risk { Risk::High => cancel, _ => cancel };
//                             ^^^^ `match` after `plan` reads `risk`, but a path reaches it unwritten: `start -> plan`; no other node writes it: add one with `writes = risk`, or make the field `#[input]`
        cancel -> end;
    }
}

fn main() {}
