//! A node with two outgoing edges.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> plan -> triage -> cancel -> end;
        plan -> cancel;
//              ^^^^^^ `plan` already leads to `triage` on line 8: to choose, write `plan -> match field { … }`; to run both, `plan -> (…, …) -> join`
    }
}

fn main() {}
