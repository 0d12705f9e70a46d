//! `.edit()` on a review that takes no edit.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before(edit = false)]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

graph! {
    Agent<Ticket> {
        start -> draft -> pay -> end;
        pay { reject -> cancel }
        cancel -> end;
    }
}

async fn answer(turn: AgentTurn, mara: &Operator) {
    if let AgentTurn::Pay(review) = turn {
        let _ = review.edit(mara, |draft| draft.amount = 2.0).await;
//                     ^^^^ this review takes no edit: the node says `#[interrupt_before(edit = false)]`
//  | approve the draft as it is, or reject it
    }
}

fn main() {}
