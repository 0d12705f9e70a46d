//! The condition of a review is a `bool` over the fields that are signed.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before(when = plan.len() > 3 && draft.amount > 1.0)]
//                        ^^^^ the condition of the review before node `unshown` reads `plan`, but the review does not show it: add `show = (plan)`, so that the person sees it and the signature covers it; if it is no field, write `self::plan`
#[node(Ticket, writes = outcome, effect)]
async fn unshown(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(when = darft.amount > 1.0)]
//                        ^^^^^ the condition of the review before node `misspelled` reads `darft`, which is no field of it; did you mean `draft`?
#[node(Ticket, writes = outcome, effect)]
async fn misspelled(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(when = "draft.amount > 100")]
//                        ^^^^^^^^^^^^^^^^^^^^ the condition of the review before node `quoted` is a literal, but must depend on what is signed: write a Rust expression without quotes, such as `when = draft.amount > 100.0`
#[node(Ticket, writes = outcome, effect)]
async fn quoted(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(when = fixture::is_open())]
//                        ^^^^^^^^^^^^^^^^^^ the condition of the review before node `elsewhere` does not depend on what is signed: read `draft`, or a field in `show`
#[node(Ticket, writes = outcome, effect)]
async fn elsewhere(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(when)]
//                 ^^^^ `when` needs a value: `when = draft.amount > 100.0`
#[node(Ticket, writes = outcome, effect)]
async fn missing(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

fn main() {}
