//! Statements that `graph!` does not know.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> plan triage;
//                    ^^^^^^ a `;` ends the statement, or `->` goes on with it
        triage -> (cancel);
//                ^ one branch is no fork: write `triage -> …` without parentheses, or add a second branch
        cancel -> end -> plan;
//                       ^^^^ a thread that has ended does not go on: nothing follows `end`
        execute { approve -> cancel }
//                ^^^^^^^ a verdict block has no `approve`: once its draft is approved, as it was or edited, `execute` runs and goes on with `execute -> …`
        plan -> ;
//              ^ here stands a node, `end`, branches `(a, b)`, a `match` on a field, or a `for` through one
    }
}

fn main() {}
