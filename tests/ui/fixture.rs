//! The types and nodes that the programs in this directory share.
#![allow(dead_code, unused_variables)]

pub use hitl::prelude::*;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct RefundDraft {
    #[garde(skip)]
    pub amount: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Risk {
    High,
    Low,
    Odd,
}

pub struct Desk;

#[state]
pub struct Ticket {
    #[input]
    pub message: String,
    pub plan: String,
    pub risk: Risk,
    pub draft: RefundDraft,
    #[output]
    pub outcome: Outcome,
}

#[node(Ticket, writes = plan)]
pub async fn plan(message: &str) -> Result<String> {
    Ok(message.to_owned())
}

#[node(Ticket, writes = risk)]
pub async fn triage(message: &str) -> Result<Risk> {
    Ok(Risk::High)
}

#[node(Ticket, writes = draft)]
pub async fn draft(message: &str, question: Option<&Question>) -> Result<RefundDraft> {
    Ok(RefundDraft { amount: 1.0 })
}

#[interrupt_before(role = "refund-approver")]
#[node(Ticket, writes = outcome, effect)]
pub async fn execute(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

#[node(Ticket, writes = outcome)]
pub async fn cancel(rejection: Option<&Rejection>) -> Result<Outcome> {
    Ok(Outcome)
}
