//! An effect without a signature. The graph does not report it again.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = outcome, effect)]
//                               ^^^^^^ effect node `pay` can be reached with no review: take `message: &Approved<String>`, with `#[interrupt_before]` here or on an earlier node, or declare `risk = low`
async fn pay(message: &str) -> Result<Outcome> {
    Ok(Outcome)
}

#[node(Ticket, writes = outcome, effect)]
//                               ^^^^^^ effect node `transfer` can be reached with no review: take the field that a person signs as `&Approved<…>`, for instance `plan: &Approved<String>`, with
async fn transfer(plan: Option<&String>, risk: &Risk) -> Result<Outcome> {
    Ok(Outcome)
}

#[node(Ticket, writes = outcome, effect)]
//                               ^^^^^^ effect node `send` can be reached with no review: take the field that a person signs as `&Approved<…>`, with
async fn send() -> Result<Outcome> {
    Ok(Outcome)
}

// A signature without an effect. The graph does not report it again either.
#[node(Ticket, writes = outcome)]
async fn note(draft: &Approved<RefundDraft>) -> Result<Outcome> {
//                   ^^^^^^^^^^^^^^^^^^^^^^ node `note` takes `draft` as `&Approved<…>`, but only an effect can spend a signature: take `draft: &RefundDraft`, or add `effect`
    Ok(Outcome)
}

graph! {
    Pay<Ticket> {
        start -> pay -> end;
    }
}

graph! {
    Note<Ticket> {
        start -> draft -> note -> end;
    }
}

fn main() {}
