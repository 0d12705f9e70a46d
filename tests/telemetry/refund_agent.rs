//! A fixture: a refund whose draft a model writes, with a node that can fail and an effect that can wait.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use hitl::{model::ModelExt as _, prelude::*};
use hitl_testkit::MockModel;
use tokio::sync::Semaphore;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Refund {
    #[garde(length(chars, min = 1, max = 200))]
    pub payee: String,
    #[garde(range(min = 1, max = 500))]
    pub dollars: u32,
}

#[state]
pub struct Ticket {
    #[input]
    pub message: String,
    pub plan: String,
    pub refund: Refund,
    #[output]
    pub outcome: String,
}

#[derive(Clone)]
pub struct Desk {
    pub model: Arc<MockModel>,
    /// The number of times that `plan` fails.
    pub failures: Arc<AtomicU32>,
    /// The error of `plan`.
    pub problem: Arc<str>,
    /// `pay` needs a permit.
    pub gate: Arc<Semaphore>,
    /// The idempotency keys of the payments.
    pub paid: Arc<Mutex<Vec<String>>>,
}

impl Desk {
    /// Creates a desk whose model has these responses.
    pub fn new<'a>(responses: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            model: Arc::new(MockModel::new(responses)),
            failures: Arc::default(),
            problem: "no line".into(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            paid: Arc::default(),
        }
    }
}

#[node(Ticket, writes = plan, retries = 1, backoff = "1ms")]
async fn plan(message: &str, desk: Deps<Desk>) -> Result<String> {
    let left = desk.failures.load(Ordering::SeqCst);
    if left > 0 {
        desk.failures.store(left - 1, Ordering::SeqCst);
        return Err(NodeError::msg(&desk.problem));
    }
    Ok(format!("answer {message}"))
}

#[node(Ticket, writes = refund)]
async fn draft(plan: &str, question: Option<&Question>, desk: Deps<Desk>) -> Result<Refund> {
    let question = question.map_or("", |question| question.text.as_str());
    Ok(desk.model.structured(format!("{plan} {question}")).await?)
}

#[interrupt_before(role = "refund-approver", expires = "24h", remind = "6h")]
#[node(Ticket, writes = outcome, effect)]
async fn pay(refund: &Approved<Refund>, desk: Deps<Desk>, cx: &Cx) -> Result<String> {
    tracing::info!(dollars = refund.dollars, "the bank is called");
    desk.gate.acquire().await.map_err(NodeError::msg)?.forget();
    desk.paid.lock().map_err(|_| NodeError::msg("poisoned"))?.push(cx.idempotency_key().to_owned());
    Ok(format!("{} to {}", refund.dollars, refund.payee))
}

#[node(Ticket, writes = outcome)]
async fn decline(rejection: &Rejection) -> Result<String> {
    Ok(format!("declined: {}", rejection.note))
}

graph! {
    /// Refunds a customer once a person has signed the refund.
    pub RefundAgent<Ticket, Desk> {
        start -> plan -> draft -> pay -> end;
        pay { reject -> decline, ask -> draft }
        decline -> end;
    }
}

pub type RefundReview = hitl::Review<RefundAgent, Refund, hitl::CanAsk>;

pub const RESPONSE: &str = r#"{"payee": "Ada", "dollars": 149}"#;

pub fn mara() -> Operator {
    Operator::new("mara").role("refund-approver")
}

pub fn input(message: &str) -> TicketInput {
    TicketInput { message: message.to_owned() }
}

pub fn review(turn: RefundAgentTurn) -> RefundReview {
    match turn {
        RefundAgentTurn::Pay(review) => review,
        turn => panic!("expected a review: {turn}"),
    }
}

/// Starts a thread and returns its review.
pub async fn open(agent: &Agent<RefundAgent>, thread: &str) -> RefundReview {
    review(agent.start(thread, input("a broken lamp")).await.unwrap())
}
