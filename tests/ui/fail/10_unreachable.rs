//! A node that no path reaches.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
        triage -> plan -> cancel;
//      ^^^^^^ no path leads from `start` to `triage`: lead one there, `… -> triage`, or take `triage` out of the graph
    }
}

fn main() {}
