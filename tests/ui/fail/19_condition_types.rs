//! rustc checks the types of a condition.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before(when = draft.amount)]
//                        ^^^^^^^^^^^^ expected `bool`, found `f64`
#[node(Ticket, writes = outcome, effect)]
async fn number(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(when = draft.total > 1.0)]
//                              ^^^^^ no field `total` on type `fixture::RefundDraft`
#[node(Ticket, writes = outcome, effect)]
async fn member(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(show = plan, when = plan > 3)]
//                                          ^ can't compare `String` with `{integer}`
#[node(Ticket, writes = outcome, effect)]
async fn shown(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

fn main() {}
