//! A program with all macros and `pub` items. clippy checks that the macros' output has no lint, not even a pedantic one.
#![warn(
    clippy::nursery,
    clippy::pedantic,
    elided_lifetimes_in_paths,
    missing_debug_implementations,
    missing_docs,
    single_use_lifetimes,
    trivial_casts,
    unused_lifetimes,
    unused_qualifications,
    unused_results
)]

use hitl::prelude::*;

/// A refund.
#[draft]
#[derive(Clone, Debug, PartialEq, Eq, Validate)]
pub struct Refund {
    /// Cents.
    #[garde(range(min = 1))]
    pub cents: u32,
    /// Note.
    #[garde(inner(length(min = 1)))]
    pub note: Option<String>,
    /// Kind.
    #[garde(skip)]
    pub kind: Kind,
}

/// A kind.
#[draft]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A.
    A,
    /// B.
    B(u32),
    /// C.
    C {
        /// D.
        d: bool,
    },
}

/// A ticket.
#[derive(Debug)]
#[state(version = 2, migrate = migrate)]
pub struct Ticket {
    /// Message.
    #[input]
    pub message: String,
    /// Orders.
    #[input]
    pub orders: Vec<u32>,
    /// Order.
    pub order: u32,
    /// Notes.
    #[reduce(append)]
    pub notes: Vec<String>,
    /// Sum.
    #[reduce(add)]
    pub sum: u64,
    /// Kind.
    pub kind: Kind,
    /// Draft.
    pub draft: Refund,
    /// Maybe.
    pub maybe: Option<String>,
    /// Output.
    #[output]
    pub receipt: String,
}

fn migrate(_from: u32, fields: &mut hitl::journal::Map) -> Result<()> {
    let from_start = fields.remove("start").ok_or("version 1 has no field `start`")?;
    drop(fields.insert("message".to_owned(), from_start));
    Ok(())
}

const fn add(old: u64, new: u64) -> u64 {
    old + new
}

/// Dependencies.
#[derive(Debug)]
pub struct Desk;

/// Triage.
///
/// # Errors
/// Never.
#[node(Ticket, writes = (kind, maybe), retries = 3, backoff = "1s", timeout = "30s")]
pub async fn triage(message: &str, desk: Deps<Desk>, cx: &Cx) -> Result<(Kind, Option<String>)> {
    let _ = (&*desk, cx);
    Ok((Kind::A, Some(message.to_owned())))
}

/// Look.
///
/// # Errors
/// Never.
#[node(Ticket, writes = (notes, sum))]
pub async fn look(order: u32) -> Result<(Vec<String>, u64)> {
    Ok((vec![order.to_string()], 1))
}

/// Write.
///
/// # Errors
/// Never.
#[node(Ticket, writes = draft)]
pub async fn write(
    notes: Option<&[String]>,
    maybe: &Option<String>,
    question: Option<&Question>,
) -> Result<Refund> {
    let _ = (notes, maybe, question);
    Ok(Refund { cents: 1, note: None, kind: Kind::B(1) })
}

/// Pay.
///
/// # Errors
/// Never.
#[interrupt_before(role = "approver", expires = "24h", remind = "4h", show = (maybe), unsigned(message))]
#[node(Ticket, writes = receipt, effect, idempotent)]
pub async fn pay(draft: &Approved<Refund>, maybe: Option<String>, message: &str) -> Result<String> {
    Ok(format!("{} {maybe:?} {message}", draft.cents))
}

/// Cancel.
///
/// # Errors
/// Never.
#[node(Ticket, writes = receipt)]
pub async fn cancel(rejection: Option<&Rejection>) -> Result<String> {
    Ok(format!("{}", rejection.is_some()))
}

/// Note.
///
/// # Errors
/// Never.
#[node(Ticket, writes = notes)]
pub async fn note_a(message: &str) -> Result<Vec<String>> {
    Ok(vec![message.to_owned()])
}

/// Note.
///
/// # Errors
/// Never.
#[node(Ticket, writes = sum)]
pub async fn note_b(message: &str) -> Result<u64> {
    Ok(message.len() as u64)
}

graph! {
    /// An agent.
    pub Desks<Ticket, Desk> {
        start -> triage -> for order in orders, at_most = 2 { look } -> split;
        split -> (note_a, note_b) -> choose;
        choose -> match kind { Kind::A | Kind::B(0) => write, Kind::B(n) if *n > 3 => write, _ => cancel };
        write -> pay -> end;
        pay { reject -> cancel, ask -> write, expire -> cancel }
        cancel -> end;
        renamed old_pay -> pay;
    }
}

/// Split.
///
/// # Errors
/// Never.
#[node(Ticket)]
pub async fn split(message: &str) -> Result<()> {
    let _ = message;
    Ok(())
}

/// Choose.
///
/// # Errors
/// Never.
#[node(Ticket)]
pub async fn choose(message: &str) -> Result<()> {
    let _ = message;
    Ok(())
}

#[tokio::test]
async fn the_program_runs() {
    let agent = Desks::new(Desk, MemoryStore::new());
    let input = TicketInput { message: "Hello".to_owned(), orders: vec![1, 2] };
    let Ok(DesksTurn::Pay(review)) = agent.start("t", input).await else { panic!("no review is open") };
    let turn = review.approve(&Operator::new("mara").role("approver")).await;
    assert!(matches!(turn, Ok(DesksTurn::Done(receipt)) if receipt == r#"1 Some("Hello") Hello"#));
}
