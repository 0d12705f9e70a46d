//! Statements that `graph!` does not know.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> plan triage;
//                    ^^^^^^ expected `;` to end the statement, or `->` to continue it
        triage -> (cancel);
//                ^ a fork needs at least two branches: write `triage -> …` without parentheses, or add a second branch
        cancel -> end -> plan;
//                       ^^^^ nothing can follow `end`: remove the `->` after it
        execute { approve -> cancel }
//                ^^^^^^^ a verdict block has no `approve`: after an approval, with or without an edit, `execute` runs and follows `execute -> …`
        plan -> ;
//              ^ expected a node, `end`, branches `(a, b)`, a `match` on a field, or a `for` over one
    }
}

fn main() {}
