//! A node with two outgoing edges.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> plan -> triage -> cancel -> end;
        plan -> cancel;
//              ^^^^^^ `plan` goes on to `triage` already on line 8: to choose, write `plan -> match field { … }`; to do both, `plan -> (…, …) -> join`
    }
}

fn main() {}
