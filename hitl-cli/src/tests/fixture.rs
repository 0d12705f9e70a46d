//! The agent of the tests: a draft, a signature, a payment.

use hitl::{ManualClock, Timestamp, prelude::*};

/// The draft that a person signs.
#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub(super) struct Refund {
    #[garde(pattern(r"^A-[0-9]{4}$"))]
    order_id: String,
    #[garde(range(min = 0.01, max = 10_000.0))]
    amount: f64,
    #[garde(length(chars, min = 1))]
    reason: String,
}

#[state]
pub(super) struct Ticket {
    #[input]
    message: String,
    draft: Refund,
    #[output]
    outcome: String,
}

/// Fails if the message contains `fail`. Otherwise the message is the reason, followed by the answer to a question.
#[node(Ticket, writes = draft)]
pub(super) async fn draft(message: &str, question: Option<&Question>) -> Result<Refund> {
    if message.contains("fail") {
        return Err(NodeError::msg("the model is asleep\n\u{1b}[2Jall is well"));
    }
    let asked = question.map(|question| format!(" ({}? yes)", question.text.trim_end_matches('?')));
    let reason = format!("{message}{}", asked.unwrap_or_default());
    Ok(Refund { order_id: "A-9133".to_owned(), amount: 149.0, reason })
}

/// A refund of 13 fails after it has begun, which leaves the effect in doubt.
#[interrupt_before(role = "refund-approver", expires = "24h", remind = "4h")]
#[node(Ticket, writes = outcome, effect)]
pub(super) async fn execute(draft: &Approved<Refund>) -> Result<String> {
    refund(draft)
}

/// [`execute`], after it was renamed.
#[interrupt_before(role = "refund-approver", expires = "24h", remind = "4h")]
#[node(Ticket, writes = outcome, effect)]
pub(super) async fn pay(draft: &Approved<Refund>) -> Result<String> {
    refund(draft)
}

fn refund(draft: &Approved<Refund>) -> Result<String> {
    if draft.amount == 13.0 {
        return Err(NodeError::msg("connection reset by peer"));
    }
    Ok(format!("refunded {} for {}, signed by {}", draft.amount, draft.order_id, draft.signer()))
}

#[node(Ticket, writes = outcome)]
pub(super) async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(format!("cancelled, {}: {}", rejection.reason, rejection.note))
}

graph! {
    /// Refunds a customer once a person has signed.
    pub(super) RefundAgent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancel, ask -> draft }
        cancel -> end;
    }
}

/// Creates the fixture on a new store, with its clock at 10:10.
pub(super) fn desk() -> (Agent<RefundAgent>, ManualClock) {
    desk_on(MemoryStore::new())
}

/// Creates the fixture on a given store.
pub(super) fn desk_on(store: MemoryStore) -> (Agent<RefundAgent>, ManualClock) {
    let clock = ManualClock::at(Timestamp::from_millis(1_795_342_200_000));
    (RefundAgent::new(store).clock(clock.clone()), clock)
}
