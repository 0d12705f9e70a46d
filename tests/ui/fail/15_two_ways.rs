//! A node goes on in two ways.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> plan -> triage -> cancel -> end;
        plan -> cancel;
    }
}

fn main() {}
