//! A verdict leads to a node that does not exist.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancle }
//                          ^^^^^^ `cancle` has no outgoing edge; did you mean `cancel`?
        cancel -> end;
    }
}

fn main() {}
