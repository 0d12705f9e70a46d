//! A cycle from which no path leads to `end`.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> triage }
//                          ^^^^^^ no path leads from `triage` to `end`: `triage -> plan -> triage` is a cycle; lead one of its nodes on to `end`
        triage -> plan -> triage;
    }
}

fn main() {}
