//! An `Approved` is kept in a static, and moved into another OS thread.
#[path = "../fixture.rs"]
mod fixture;
use std::sync::OnceLock;

use fixture::*;

static KEPT: OnceLock<&'static Approved<RefundDraft>> = OnceLock::new();

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn keep(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    let _ = KEPT.set(draft);
//          ^^^^^^^^^^^^^^^ borrowed data escapes outside of function
    Ok(Outcome)
}

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn spawn(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    std::thread::spawn(move || println!("{}", draft.amount));
//  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ borrowed data escapes outside of function
    Ok(Outcome)
}

fn main() {}
