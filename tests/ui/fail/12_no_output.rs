//! A path to `end` on which an output is not written.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> end }
//                          ^^^ a path reaches `end` with output `outcome` unwritten: `start -> draft -> execute -reject-> end`
    }
}

fn main() {}
