//! A refund that is planned, drafted, and executed once a person has signed it; the first version of its code, of which
//! `tests/engine/new_code` has later ones.

use hitl::prelude::*;

pub use super::world::World;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Draft {
    #[garde(pattern(r"^A-[0-9]{4}$"))]
    pub order: String,
    #[garde(range(max = 500))]
    pub dollars: u32,
}

#[state]
pub struct Ticket {
    #[input]
    pub message: String,
    pub plan: String,
    pub draft: Draft,
    #[output]
    pub outcome: String,
}

#[node(Ticket, writes = plan)]
pub async fn plan(message: &str, world: Deps<World>) -> Result<String> {
    world.ran("plan");
    Ok(format!("refund {message}"))
}

/// Drafts 149 dollars, and 99 after a question.
#[node(Ticket, writes = draft)]
pub async fn draft(plan: &str, question: Option<&Question>, world: Deps<World>) -> Result<Draft> {
    world.ran(&question.map_or("draft".to_owned(), |question| format!("draft after {}", question.text)));
    let dollars = if question.is_some() { 99 } else { 149 };
    Ok(Draft { order: plan.split_whitespace().last().unwrap_or_default().to_owned(), dollars })
}

#[interrupt_before(role = "approver", expires = "24h")]
#[node(Ticket, writes = outcome, effect)]
pub async fn execute(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<String> {
    refund(draft, &world, cx).await
}

pub async fn refund(draft: &Approved<Draft>, world: &World, cx: &Cx) -> Result<String> {
    let call = format!("{} {} by {}", draft.order, draft.dollars, draft.signer());
    world.call(&call, cx.idempotency_key()).await
}

#[node(Ticket, writes = outcome)]
pub async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(format!("{}: {}", rejection.reason, rejection.note))
}

graph! {
    pub Refunds<Ticket, World> {
        start -> plan -> draft -> execute -> end;
        execute { reject -> cancel, ask -> draft }
        cancel -> end;
    }
}

pub fn mara() -> Operator {
    Operator::new("mara").role("approver")
}

pub fn message() -> TicketInput {
    TicketInput { message: "A-9133".into() }
}

pub type RefundReview = hitl::Review<Refunds, Draft, hitl::CanAsk>;

/// Starts a thread and returns its review.
pub async fn open(agent: &Agent<Refunds>, thread: &str) -> RefundReview {
    review(agent.start(thread, message()).await.unwrap())
}

pub fn review(turn: RefundsTurn) -> RefundReview {
    match turn {
        RefundsTurn::Execute(review) => review,
        other => panic!("expected a review: {other}"),
    }
}

pub fn done(turn: RefundsTurn) -> String {
    match turn {
        RefundsTurn::Done(outcome) => outcome,
        other => panic!("expected the end: {other}"),
    }
}
