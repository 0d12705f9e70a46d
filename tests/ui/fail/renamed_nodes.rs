//! Former node names without a node, and former names that are still in use.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> plan -> draft -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
        renamed plan -> draft;
//              ^^^^ `plan` is a node of this graph, so it cannot be the old name of another one: remove this statement, or rename the node
        renamed pay -> exekute;
//                     ^^^^^^^ the graph has no node `exekute`; did you mean `execute`?
        renamed refund -> triage;
//                        ^^^^^^ the graph has no node `triage`: write the present name of `refund`
        renamed scheme -> plan;
        renamed scheme -> draft;
//              ^^^^^^ `scheme` is already renamed on line 17: keep one
        renamed stop;
//              ^^^^ `renamed` needs the old and the new name of a node: `renamed stop -> node;`
    }
}

fn main() {}
