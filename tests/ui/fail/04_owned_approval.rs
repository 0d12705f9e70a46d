//! An `Approved` is taken by value, and as an `Option`.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn by_value(draft: Approved<RefundDraft>) -> Result<Outcome> {
//                       ^^^^^^^^^^^^^^^^^^^^^ a node borrows a signature for one call, and can neither keep it nor use it twice: take `&Approved<RefundDraft>`
    Ok(Outcome)
}

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn perhaps(draft: &Approved<RefundDraft>, plan: Option<&Approved<String>>) -> Result<Outcome> {
//                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^ node `perhaps` takes `plan` as an optional `Approved`, but needs a signature on every path: take `&Approved<String>`, or `Option<&String>` to read the field unsigned
    Ok(Outcome)
}

fn main() {}
