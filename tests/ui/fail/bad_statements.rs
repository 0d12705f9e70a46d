//! Statements that `graph!` does not know.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> plan triage;
        triage -> (cancel);
        cancel -> end -> plan;
        execute { approve -> cancel }
        plan -> ;
    }
}

fn main() {}
