//! A node that no path reaches.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
        triage -> plan -> cancel;
//      ^^^^^^ no path leads from `start` to `triage`: add an edge `… -> triage`, or remove `triage` from the graph
    }
}

fn main() {}
