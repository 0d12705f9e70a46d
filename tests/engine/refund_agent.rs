//! A fixture modeled on the README's refund graph, with a `Desk` that counts the runs of its nodes.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use hitl::prelude::*;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Draft {
    #[garde(pattern(r"^A-[0-9]{4}$"))]
    pub order_id: String,
    #[garde(range(min = 0.01, max = 10_000.0))]
    pub amount: f64,
    #[garde(length(chars, min = 1, max = 500))]
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    Refunded { order_id: String, amount: f64, by: String },
    Cancelled { reason: Reason, note: String },
}

#[state]
pub struct Ticket {
    #[input]
    pub message: String,
    pub plan: String,
    pub draft: Draft,
    #[output]
    pub outcome: Outcome,
}

/// The number of runs of each node, and the amount that `draft` proposes, 149 by default.
#[derive(Clone, Default)]
pub struct Desk {
    pub planned: Arc<AtomicU32>,
    pub drafted: Arc<AtomicU32>,
    pub refunded: Arc<AtomicU32>,
    pub first_amount: Option<f64>,
}

#[node(Ticket, writes = plan)]
async fn plan(message: &str, desk: Deps<Desk>) -> Result<String> {
    desk.planned.fetch_add(1, Ordering::SeqCst);
    Ok(format!("refund what `{message}` asks for"))
}

#[node(Ticket, writes = draft)]
async fn draft(plan: &str, question: Option<&Question>, desk: Deps<Desk>) -> Result<Draft> {
    desk.drafted.fetch_add(1, Ordering::SeqCst);
    let reason = question.map_or_else(|| plan.to_owned(), |q| format!("asked by {}: {}", q.operator, q.text));
    Ok(Draft { order_id: "A-9133".into(), amount: desk.first_amount.unwrap_or(149.0), reason })
}

#[interrupt_before(role = "refund-approver", expires = "24h")]
#[node(Ticket, writes = outcome, effect)]
async fn execute(draft: &Approved<Draft>, desk: Deps<Desk>) -> Result<Outcome> {
    desk.refunded.fetch_add(1, Ordering::SeqCst);
    let by = draft.operator().to_owned();
    let Draft { order_id, amount, .. } = (**draft).clone();
    Ok(Outcome::Refunded { order_id, amount, by })
}

#[node(Ticket, writes = outcome)]
async fn cancel(rejection: &Rejection) -> Result<Outcome> {
    Ok(Outcome::Cancelled { reason: rejection.reason, note: rejection.note.clone() })
}

graph! {
    /// Refunds a customer once a person has signed the exact refund.
    pub RefundAgent<Ticket, Desk> {
        start -> plan -> draft -> execute -> end;
        execute { reject -> cancel, ask -> draft }
        cancel -> end;
    }
}

pub fn mara() -> Operator {
    Operator::new("mara").role("refund-approver")
}

pub fn message() -> TicketInput {
    TicketInput { message: "order A-9133 arrived broken".into() }
}

pub type RefundReview = hitl::Review<RefundAgent, Draft, hitl::CanAsk>;

/// Starts a thread and returns its review.
pub async fn open(agent: &Agent<RefundAgent>, thread: &str) -> RefundReview {
    review(agent.start(thread, message()).await.unwrap())
}

pub fn review(turn: RefundAgentTurn) -> RefundReview {
    match turn {
        RefundAgentTurn::Execute(review) => review,
        other => panic!("expected a review: {other}"),
    }
}

pub fn done(turn: RefundAgentTurn) -> Outcome {
    match turn {
        RefundAgentTurn::Done(outcome) => outcome,
        other => panic!("expected the end: {other}"),
    }
}
