// The agent of the examples in the documentation, which include this file in hidden lines. It is the agent of the front
// page, with questions (`ask`) and with a bank that fails once, at the first payment of order A-0000.

use hitl::prelude::*;

/// The refund that the operator signs.
#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Refund {
    #[garde(pattern(r"^A-[0-9]{4}$"))]
    pub order: String,
    /// US dollars.
    #[garde(range(min = 1, max = 500))]
    pub dollars: u32,
}

/// The state of one ticket.
#[state]
pub struct Ticket {
    #[input]
    pub message: String,
    pub draft: Refund,
    #[output]
    pub outcome: String,
}

#[node(Ticket, writes = draft)]
async fn draft(message: &str, question: Option<&Question>) -> Result<Refund> {
    let order = message.split_whitespace().find(|word| word.starts_with("A-"));
    let order = order.ok_or_else(|| NodeError::msg("the message names no order"))?;
    let dollars = if question.is_some() { 99 } else { 149 };
    Ok(Refund { order: order.to_owned(), dollars })
}

static HUNG_UP: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

#[interrupt_before(role = "refund-approver", expires = "24h")]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &Approved<Refund>) -> Result<String> {
    if draft.order == "A-0000" && !HUNG_UP.swap(true, std::sync::atomic::Ordering::SeqCst) {
        return Err(NodeError::msg("the bank hung up"));
    }
    Ok(format!("{} dollars for {}, signed by {}", draft.dollars, draft.order, draft.signer()))
}

#[node(Ticket, writes = outcome)]
async fn decline(rejection: &Rejection) -> Result<String> {
    Ok(format!("{} said no: {}", rejection.operator, rejection.reason))
}

graph! {
    /// Refunds a customer once a person has signed the exact refund.
    pub RefundAgent<Ticket> {
        start -> draft -> pay -> end;
        pay { reject -> decline, ask -> draft }
        decline -> end;
    }
}

fn mara() -> Operator {
    Operator::new("mara").role("refund-approver")
}

type PayReview = hitl::Review<RefundAgent, Refund, hitl::CanAsk>;

/// Starts thread `ticket-{order}`, and returns its open review.
async fn waiting(agent: &Agent<RefundAgent>, order: &str) -> Result<PayReview, hitl::Error> {
    let input = TicketInput { message: format!("order {order} arrived broken") };
    match agent.start(format!("ticket-{order}"), input).await? {
        RefundAgentTurn::Pay(review) => Ok(review),
        turn => panic!("{turn}"),
    }
}

/// Starts thread `ticket-A-0000`, approves its refund, and returns the doubt: its payment fails.
async fn in_doubt(agent: &Agent<RefundAgent>) -> Result<hitl::InDoubt<RefundAgent>, hitl::Error> {
    match waiting(agent, "A-0000").await?.approve(&mara()).await? {
        RefundAgentTurn::InDoubt(doubt) => Ok(doubt),
        turn => panic!("{turn}"),
    }
}
