//! A node with a review takes the draft as unsigned.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &RefundDraft) -> Result<Outcome> {
//                  ^^^^^^^^^^^^ node `pay` has a review, but takes `draft` unsigned: write `draft: &Approved<RefundDraft>`, which only an approval creates
    Ok(Outcome)
}

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn transfer(plan: &str, risk: &Risk) -> Result<Outcome> {
//       ^^^^^^^^ node `transfer` has a review, but takes no signed field: take the field that the review signs as `&Approved<…>`, for instance `plan: &Approved<String>`
    Ok(Outcome)
}

#[interrupt_before(review = draft)]
#[node(Ticket, writes = outcome, effect)]
async fn send() -> Result<Outcome> {
//       ^^^^ node `send` has a review, but takes no signed field: add a parameter `draft: &Approved<…>`
    Ok(Outcome)
}

fn main() {}
