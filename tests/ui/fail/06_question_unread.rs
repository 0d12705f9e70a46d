//! An `ask` edge leads to a node that does not read the question.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = draft)]
async fn redraft(message: &str) -> Result<RefundDraft> {
    Ok(RefundDraft { amount: 1.0 })
}

graph! {
    Agent<Ticket> {
        start -> redraft -> execute -> end;
        execute { reject -> cancel, ask -> redraft }
//                                         ^^^^^^^ `ask` leads from `execute` to `redraft`, which takes no `Question`: give `redraft` a parameter of type `Option<&Question>`, or lead `ask` to a node that has one
        cancel -> end;
    }
}

fn main() {}
