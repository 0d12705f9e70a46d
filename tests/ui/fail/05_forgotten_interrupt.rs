//! An effect without its `#[interrupt_before]`. The edges of the review that it lacks are not reported as well.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

graph! {
    Signed<Ticket> {
        start -> draft -> pay -> end;
//                        ^^^ node `pay` takes `draft` as `&Approved<RefundDraft>`, but no review of `draft` covers `pay`: put `#[interrupt_before]` on `pay`
        pay { reject -> cancel, ask -> draft }
        cancel -> end;
    }
}

#[node(Ticket, writes = outcome, effect)]
//                               ^^^^^^ effect node `send` can be reached with no review
async fn send(draft: &RefundDraft) -> Result<Outcome> {
    Ok(Outcome)
}

graph! {
    Plain<Ticket> {
        start -> draft -> send -> end;
        send { reject -> cancel, ask -> draft }
        cancel -> end;
    }
}

fn main() {}
