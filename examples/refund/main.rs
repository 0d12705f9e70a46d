//! A refund agent: it plans, drafts a refund, and waits until a person has signed it.
//!
//! ```text
//! cargo run --example refund
//! ```
//!
//! Its threads and its ledger live in `refund.db` in the current directory, or in the file that `REFUND_DB` names.

mod desk;
mod rules;

use std::{process::ExitCode, time::Duration};

use desk::{Desk, Payments};
use hitl::{cli, model::{Request, Role}, prelude::*};
use rules::Rules;

/// What the operator signs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
pub struct RefundDraft {
    #[garde(pattern(r"^A-[0-9]{4}$"))]
    pub order_id: String,
    /// US dollars, in whole cents.
    #[garde(range(min = 0.01, max = 10_000.0), custom(whole_cents))]
    pub amount: f64,
    #[garde(length(chars, min = 1, max = 500))]
    pub reason: String,
}

/// How a ticket ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Refunded { receipt: i64, order_id: String, amount: f64, signed_by: String },
    Cancelled { by: String, reason: Reason, note: String },
}

/// Everything the graph knows about one ticket. No field is an `Option`: the graph proves when each is set.
#[state]
pub struct Ticket {
    #[input]
    pub message: String,
    pub plan: String,
    pub draft: RefundDraft,
    #[output]
    pub outcome: Outcome,
}

#[node(Ticket, writes = plan)]
async fn plan(message: &str, desk: Deps<Desk>) -> Result<String> {
    let request = Request::from(message).system("You work at a refund desk. Say in a line what to do about this message.");
    Ok(desk.model.text(request).await?)
}

#[node(Ticket, writes = draft)]
async fn draft(message: &str, plan: &str, question: Option<&Question>, desk: Deps<Desk>) -> Result<RefundDraft> {
    let mut request = Request::from(message).system(format!("You work at a refund desk. Draft the refund. The plan: {plan}"));
    if let Some(question) = question {
        request = request.message(Role::Assistant, question.draft.to_string()).message(Role::User, &question.text);
    }
    Ok(desk.model.structured(request).await?)
}

#[interrupt_before(role = "refund-approver", expires = "24h")]
#[node(Ticket, writes = outcome, effect)]
async fn execute(draft: Approved<RefundDraft>, desk: Deps<Desk>, cx: &Cx) -> Result<Outcome> {
    let receipt = desk.payments.refund(&draft, cx.idempotency_key()).await?;
    let signed_by = draft.operator().to_owned();
    let RefundDraft { order_id, amount, .. } = draft.into_inner();
    Ok(Outcome::Refunded { receipt, order_id, amount, signed_by })
}

#[node(Ticket, writes = outcome)]
async fn cancel(rejection: &Rejection) -> Result<Outcome> {
    let Rejection { operator, reason, note, .. } = rejection.clone();
    Ok(Outcome::Cancelled { by: operator, reason, note })
}

graph! {
    /// Refunds a customer once a person has signed the exact refund.
    pub RefundAgent<Ticket, Desk> {
        start -> plan -> draft -> execute -> end;
        execute { reject -> cancel, ask -> draft }
        cancel -> end;
    }
}

impl RefundDraft {
    /// The amount as the ledger keeps it: exactly.
    pub fn cents(&self) -> i64 {
        (self.amount * 100.0).round() as i64
    }
}

/// A fraction of a cent would be signed and not paid.
fn whole_cents(amount: &f64, _: &()) -> garde::Result {
    let cents = amount * 100.0;
    if (cents - cents.round()).abs() < 1e-6 { Ok(()) } else { Err(garde::Error::new("not in whole cents")) }
}

#[tokio::main]
async fn main() -> ExitCode {
    let file = std::env::var_os("REFUND_DB").unwrap_or_else(|| "refund.db".into());
    let store = match SqliteStore::open(&file).await {
        Ok(store) => store,
        Err(error) => return cli::failed(error),
    };
    let desk = Desk { model: Box::new(Rules), payments: Payments::new(store.path()) };
    // A process that dies keeps its threads for a lease; here somebody waits for them.
    let agent = RefundAgent::new(desk, store).lease(Duration::from_secs(5));
    cli::Cli::new(agent)
        .greeting("A refund desk. Its model is a set of rules and no AI: it reads order, amount and reason out of a message.")
        .run()
        .await
}
