//! The agent that the tests serve: it drafts a refund, waits for a review, and pays into a list.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use hitl::prelude::*;
use tokio::sync::Semaphore;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Draft {
    #[garde(length(min = 1))]
    pub order: String,
    /// US dollars.
    #[garde(range(min = 1, max = 500))]
    pub dollars: u32,
}

#[state]
pub struct Ticket {
    #[input]
    pub message: String,
    pub draft: Draft,
    #[output]
    pub outcome: String,
}

/// The dependency of the nodes, through which a test observes and blocks them.
#[derive(Clone)]
pub struct Desk {
    pub paid: Arc<Mutex<Vec<String>>>,
    /// Closed while a test needs a node to be running.
    pub gate: Arc<Semaphore>,
    pub entered: Arc<Semaphore>,
    /// `true` while drafting must block its worker thread, without an `await`.
    pub blocks: Arc<AtomicBool>,
}

impl Desk {
    pub fn new() -> Self {
        Self {
            paid: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            entered: Arc::new(Semaphore::new(0)),
            blocks: Arc::default(),
        }
    }

    pub fn shut(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub fn open(&self) {
        self.gate.add_permits(100);
    }

    pub fn paid(&self) -> Vec<String> {
        self.paid.lock().unwrap().clone()
    }
}

#[node(Ticket, writes = draft)]
pub async fn draft(message: &str, question: Option<&Question>, desk: Deps<Desk>) -> Result<Draft> {
    desk.entered.add_permits(1);
    while desk.blocks.load(SeqCst) {
        std::thread::yield_now();
    }
    desk.gate.acquire().await?.forget();
    let dollars = if question.is_some() { 99 } else { 149 };
    let order = message.split_whitespace().find(|word| word.starts_with("A-"));
    Ok(Draft { order: order.ok_or_else(|| NodeError::msg("it names no order"))?.to_owned(), dollars })
}

#[interrupt_before(role = "clerk")]
#[node(Ticket, writes = outcome, effect)]
pub async fn pay(draft: &Approved<Draft>, desk: Deps<Desk>) -> Result<String> {
    let receipt = format!("{} dollars for {}, signed by {}", draft.dollars, draft.order, draft.signer());
    desk.paid.lock().unwrap().push(receipt.clone());
    Ok(receipt)
}

#[node(Ticket, writes = outcome)]
pub async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(format!("cancelled: {}", rejection.note))
}

graph! {
    /// Refunds a customer once a person has signed.
    pub Refunds<Ticket, Desk> {
        start -> draft -> pay -> end;
        pay { reject -> cancel, ask -> draft }
        cancel -> end;
    }
}
