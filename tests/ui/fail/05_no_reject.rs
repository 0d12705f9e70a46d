//! A verdict block without a `reject` edge.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { ask -> draft }
//      ^^^^^^^ the verdict block of `execute` has no `reject` edge: add `reject -> node`, or `reject -> end` to end the thread
    }
}

fn main() {}
