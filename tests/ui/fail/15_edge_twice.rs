//! An edge that is declared twice.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> plan -> triage -> cancel -> end;
        plan -> triage;
//              ^^^^^^ the edge `plan -> triage` is declared twice, first on line 8: remove one of them
    }
}

fn main() {}
