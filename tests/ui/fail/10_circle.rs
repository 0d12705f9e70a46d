//! No path leads to `end`.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> triage }
        triage -> plan -> triage;
    }
}

fn main() {}
