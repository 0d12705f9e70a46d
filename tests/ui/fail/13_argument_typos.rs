//! Arguments that `#[node]` does not know.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before(roles = "approver", expires = "soon")]
//                 ^^^^^ `#[interrupt_before]` has no argument `roles`; did you mean `role`?
//                                               ^^^^^^ a duration is a number and a unit, `ms`, `s`, `m`, `h` or `d`: `expires = "24h"`
#[node(Ticket, write = outcome, efect, colour = red)]
//             ^^^^^ `#[node]` has no argument `write`; did you mean `writes`?
//                              ^^^^^ `#[node]` has no argument `efect`; did you mean `effect`?
//                                     ^^^^^^ `#[node]` has no argument `colour`; it takes `writes`, `effect`, `idempotent`, `risk`, `retries`, `backoff` and `timeout`
async fn pay(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

fn main() {}
