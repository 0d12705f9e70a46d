//! The draft is written again after it was signed.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before(covers = notify)]
#[node(Ticket, writes = draft, effect)]
async fn adjust(draft: &Approved<RefundDraft>) -> Result<RefundDraft> {
    Ok((**draft).clone())
}

#[node(Ticket, writes = outcome, effect)]
async fn notify(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

graph! {
    Agent<Ticket> {
        start -> draft -> adjust -> notify -> end;
//                                  ^^^^^^ node `notify` takes `draft` as `&Approved<RefundDraft>`, but a path reaches it on which `draft` is written by `adjust` after it was signed: `start -> draft -> adjust -> notify`; put `#[interrupt_before]` on `notify`
        adjust { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
