//! The graphs that the benches run: plain nodes without a model, so that the engine is measured.

// Each bench uses a part of this.
#![allow(dead_code)]

use hitl::prelude::*;

/// The draft that the operator signs.
#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct RefundDraft {
    #[garde(pattern(r"^A-[0-9]{4}$"))]
    pub order_id: String,
    #[garde(range(min = 0.01, max = 10_000.0))]
    pub amount: f64,
    #[garde(length(chars, min = 1, max = 500))]
    pub reason: String,
}

/// The ticket of the README.
#[state]
pub struct Ticket {
    #[input]
    pub message: String,
    pub plan: String,
    pub draft: RefundDraft,
    #[output]
    pub outcome: String,
}

#[node(Ticket, writes = plan)]
async fn plan(message: &str) -> Result<String> {
    Ok(format!("look the order up: {message}"))
}

#[node(Ticket, writes = draft)]
async fn draft(plan: &str) -> Result<RefundDraft> {
    Ok(RefundDraft { order_id: "A-9133".to_owned(), amount: 149.0, reason: plan.to_owned() })
}

#[interrupt_before(role = "refund-approver", expires = "24h")]
#[node(Ticket, writes = outcome, effect)]
async fn execute(draft: &Approved<RefundDraft>, cx: &Cx) -> Result<String> {
    Ok(format!("{} dollars for {}, {}", draft.amount, draft.order_id, &cx.idempotency_key()[..8]))
}

#[node(Ticket, writes = outcome)]
async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(format!("{} said no: {}", rejection.operator, rejection.reason))
}

graph! {
    /// Three steps with a signature before the last.
    pub RefundAgent<Ticket> {
        start -> plan -> draft -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
    }
}

pub type RefundReview = hitl::Review<RefundAgent, RefundDraft>;

/// Returns an operator who may sign a refund.
pub fn mara() -> Operator {
    Operator::new("mara").role("refund-approver")
}

/// Returns the input of a refund.
pub fn ticket() -> TicketInput {
    TicketInput { message: "Order A-9133 arrived broken.".to_owned() }
}

/// Runs a thread from `start` to its review.
pub async fn suspended(agent: &Agent<RefundAgent>, thread: String) -> RefundReview {
    match agent.start(thread, ticket()).await {
        Ok(RefundAgentTurn::Execute(review)) => review,
        Ok(turn) => panic!("{turn}"),
        Err(error) => panic!("{error}"),
    }
}

/// Approves a review, and runs the thread to its end.
pub async fn approved(review: RefundReview, operator: &Operator) -> String {
    outcome(review.approve(operator).await)
}

/// Edits the amount of a review, and runs the thread to its end.
pub async fn edited(review: RefundReview, operator: &Operator) -> String {
    outcome(review.edit(operator, |draft| draft.amount = 99.0).await)
}

fn outcome(turn: std::result::Result<RefundAgentTurn, hitl::Error>) -> String {
    match turn {
        Ok(RefundAgentTurn::Done(outcome)) => outcome,
        Ok(turn) => panic!("{turn}"),
        Err(error) => panic!("{error}"),
    }
}

/// A counter.
#[state]
pub struct Tally {
    #[input]
    #[output]
    pub count: u64,
}

#[node(Tally, writes = count)]
async fn add(count: u64) -> Result<u64> {
    Ok(count + 1)
}

graph! {
    /// 1,000 steps of one node.
    pub Loop<Tally> {
        start -> add -> match count { 0..1_000 => add, _ => end };
    }
}

/// The number of steps in one run of [`Loop`].
pub const STEPS: u64 = 1_000;

/// Runs [`Loop`] once.
pub async fn counted(agent: &Agent<Loop>, thread: String) -> u64 {
    match agent.start(thread, TallyInput { count: 0 }).await {
        Ok(LoopTurn::Done(count)) => count,
        Ok(turn) => panic!("{turn}"),
        Err(error) => panic!("{error}"),
    }
}

/// A counter whose last step is signed.
#[state]
pub struct Ledger {
    #[input]
    pub count: u64,
    pub draft: RefundDraft,
    #[output]
    pub outcome: String,
}

#[node(Ledger, writes = count)]
async fn enter(count: u64) -> Result<u64> {
    Ok(count + 1)
}

#[node(Ledger, writes = draft)]
async fn balance(count: u64) -> Result<RefundDraft> {
    Ok(RefundDraft { order_id: "A-9133".to_owned(), amount: 149.0, reason: format!("{count} entries") })
}

#[interrupt_before]
#[node(Ledger, writes = outcome, effect)]
async fn close(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(format!("closed by {}", draft.signer()))
}

#[node(Ledger, writes = outcome)]
async fn leave(rejection: &Rejection) -> Result<String> {
    Ok(format!("left open by {}", rejection.operator))
}

graph! {
    /// 100,000 steps, and a signature.
    pub Long<Ledger> {
        start -> enter -> match count { 0..100_000 => enter, _ => balance };
        balance -> close -> end;
        close { reject -> leave }
        leave -> end;
    }
}

/// A chat: one message for each turn.
#[state]
pub struct Talk {
    #[input]
    #[output]
    #[reduce(append)]
    pub said: Vec<String>,
}

#[node(Talk, writes = said)]
async fn say(said: &[String]) -> Result<Vec<String>> {
    Ok(vec![format!("{:-<100}", said.len())])
}

graph! {
    /// 4,000 turns.
    pub Chat<Talk> {
        start -> say -> match said { said if said.len() < 4_000 => say, _ => end };
    }
}

/// Returned parcels.
#[state]
pub struct Delivery {
    #[input]
    pub parcels: Vec<u64>,
    pub parcel: u64,
    #[output]
    #[reduce(append)]
    pub receipts: Vec<u64>,
}

#[node(Delivery, writes = receipts)]
async fn receive(parcel: u64) -> Result<Vec<u64>> {
    tokio::task::yield_now().await;
    Ok(vec![parcel])
}

graph! {
    /// One node for each item, 4 at once.
    pub Returns<Delivery> {
        start -> for parcel in parcels, at_most = 4 { receive } -> end;
    }
}

/// Runs [`Returns`] once over `items` items.
pub async fn received(agent: &Agent<Returns>, thread: String, items: u64) -> usize {
    match agent.start(thread, DeliveryInput { parcels: (0..items).collect() }).await {
        Ok(ReturnsTurn::Done(receipts)) => receipts.len(),
        Ok(turn) => panic!("{turn}"),
        Err(error) => panic!("{error}"),
    }
}
