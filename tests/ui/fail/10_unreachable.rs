//! No path leads to a node.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
        triage -> plan -> cancel;
    }
}

fn main() {}
