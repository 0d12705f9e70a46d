//! Each field that a condition reads is written on every path to the review.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before(show = plan, when = plan.is_empty() || draft.amount > 1.0)]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

graph! {
    pub Refunds<Ticket, Desk> {
        start -> draft -> pay -> end;
//                        ^^^ the review before `pay` reads `plan`, but a path reaches it unwritten: `start -> draft -> pay`
        pay { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
