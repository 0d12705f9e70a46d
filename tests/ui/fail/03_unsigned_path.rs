//! A path leads around the review to an effect that shares its signature.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before(covers = notify)]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[node(Ticket, writes = plan, effect)]
async fn notify(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

graph! {
    Agent<Ticket> {
        start -> draft -> notify -> pay -> end;
//                        ^^^^^^ node `notify` takes `draft` as `&Approved<RefundDraft>`, but a path reaches it on which `draft` was never signed for it: `start -> draft -> notify`; put `#[interrupt_before]` on `notify`, or lead that path through `pay`, whose review covers it
        pay { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
