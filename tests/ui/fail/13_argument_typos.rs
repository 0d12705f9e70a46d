//! Arguments that `#[node]` does not know.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[interrupt_before(roles = "approver", expires = "soon")]
#[node(Ticket, write = outcome, efect, colour = red)]
async fn pay(draft: Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

fn main() {}
