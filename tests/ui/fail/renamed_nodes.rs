//! Former node names without a node, and former names that are still in use.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> plan -> draft -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
        renamed plan -> draft;
//              ^^^^ `plan` is a node of this graph, so it cannot be what another one was called: take this out, or call the node otherwise
        renamed pay -> exekute;
//                     ^^^^^^^ the graph has no node `exekute`; did you mean `execute`?
        renamed refund -> triage;
//                        ^^^^^^ the graph has no node `triage`: name the one that was called `refund`
        renamed scheme -> plan;
        renamed scheme -> draft;
//              ^^^^^^ `scheme` has been given a new name already on line 17: keep one
        renamed stop;
//              ^^^^ a node's old name leads to its new one: `renamed stop -> node;`
    }
}

fn main() {}
