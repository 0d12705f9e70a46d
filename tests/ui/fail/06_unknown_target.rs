//! A verdict leads to a node that does not exist.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancle }
//                          ^^^^^^ `cancle` has no outgoing edge; did you mean `cancel`?
        cancel -> end;
    }
}

fn main() {}
