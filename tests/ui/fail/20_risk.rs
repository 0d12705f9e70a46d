//! The risk of an action is one of three words, and a person signs one of high risk.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before(risk = draft.amount)]
//                        ^^^^^^^^^^^^ `risk` is `low`, `medium` or `high`: write `risk = high`, or choose one, `risk = if draft.amount > 1000.0 { high } else { low }`
#[node(Ticket, writes = outcome, effect)]
async fn value(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(risk = if draft.amount > 9.0 { severe } else { low })]
//                                                ^^^^^^ `risk` is `low`, `medium` or `high`: write `risk = high`, or choose one, `risk = if draft.amount > 1000.0 { high } else { low }`
#[node(Ticket, writes = outcome, effect)]
async fn unknown(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(risk = high, when = draft.amount > 9.0)]
//                        ^^^^ the action before node `always` is always of high risk, so a person always signs it and `when` has no effect: remove `when`, or choose the risk, `risk = if … { high } else { low }`
#[node(Ticket, writes = outcome, effect)]
async fn always(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(reversible = no)]
//                              ^^ `reversible` must be a bool: write `reversible = false` if the action cannot be undone
#[node(Ticket, writes = outcome, effect)]
async fn word(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[node(Ticket, writes = plan, risk = high)]
//                                   ^^^^ node `no_effect` has `risk = high`, but is not an effect: remove it, or add `effect`
async fn no_effect(message: &str) -> Result<String> {
    Ok(message.to_owned())
}

#[node(Ticket, writes = outcome, effect, risk = severe)]
//                                              ^^^^^^ `risk = severe` does not exist: write `risk = low` if the effect needs no signature, or `risk = medium` or `risk = high` if it does
async fn unknown_effect(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[node(Ticket, writes = outcome, effect, risk = low, risk = high)]
//                                                   ^^^^ `risk` is given twice
async fn two_risks(plan: &str) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before(not = editor)]
//                       ^^^^^^ `not = editor` does not exist: write `not = requester`, so that the person who started the thread may not sign
#[node(Ticket, writes = outcome, effect)]
async fn excluded(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

fn main() {}
