//! An edge that is declared twice.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> plan -> triage -> cancel -> end;
        plan -> triage;
//              ^^^^^^ the edge `plan -> triage` is declared twice, first on line 8: remove one of them
    }
}

fn main() {}
