//! An `Approved` is taken by value, and as an `Option`.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn by_value(draft: Approved<RefundDraft>) -> Result<Outcome> {
//                       ^^^^^^^^^^^^^^^^^^^^^ a signature is lent for one call, so that it can be neither kept nor used twice: take `&Approved<RefundDraft>`
    Ok(Outcome)
}

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn perhaps(draft: &Approved<RefundDraft>, plan: Option<&Approved<String>>) -> Result<Outcome> {
//                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^ `plan` is signed on every path to node `perhaps`, or it is not signed: take `&Approved<String>`, or `Option<&String>` to read what may be unsigned
    Ok(Outcome)
}

fn main() {}
