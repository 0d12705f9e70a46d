//! Every role and every duration that a review can choose is written in the program.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

const NOBODY: &str = " ";

#[interrupt_before(role = draft.team, show = plan)]
//                        ^^^^^^^^^^ `role` takes a string in quotes, the name of a role that the operator must hold: write `role = "refund-approver"`, a constant, or choose one, `role = match draft.team { Team::Eu => "eu-approver", … }`
#[node(Ticket, writes = outcome, effect)]
async fn text(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(role = if draft.amount > 9.0 { plan } else { "clerk" }, show = plan)]
//                                                ^^^^ `role` takes a string in quotes, the name of a role that the operator must hold: write `role = "refund-approver"`, a constant, or choose one, `role = match draft.team { Team::Eu => "eu-approver", … }`
#[node(Ticket, writes = outcome, effect)]
async fn shown_text(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(role = if plan.is_empty() { "director" } else { "clerk" })]
//                           ^^^^ the role of the review before node `unshown` reads `plan`, but the review does not show it: add `show = (plan)`, so that the person sees it and the signature covers it; if it is no field, write `self::plan`
#[node(Ticket, writes = outcome, effect)]
async fn unshown(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(role = match draft.amount { ..9.0 => "clerk" })]
//                              ^^^^^^^^^^^^ non-exhaustive patterns: `_` not covered
#[node(Ticket, writes = outcome, effect)]
async fn not_exhaustive(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(expires = if draft.amount > 9.0 { "1 fortnight" } else { "24h" })]
//                                                   ^^^^^^^^^^^^^ a duration is a number and a unit, `ms`, `s`, `m`, `h` or `d`: `expires = "24h"`, a constant `Duration`, or one that is chosen, `expires = if draft.urgent { "1h" } else { "24h" }`
#[node(Ticket, writes = outcome, effect)]
async fn deadline(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(role = NOBODY)]
//                        ^^^^^^ `role` must not be empty: `role = "refund-approver"`
#[node(Ticket, writes = outcome, effect)]
async fn blank(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

graph! {
    Refunds<Ticket> {
        start -> draft -> blank -> end;
        blank { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
