//! A mailroom: `match`, fork and join, a reducer, a loop, one effect that needs no signature, and one that does.
//!
//! ```text
//! cargo run --example triage
//! ```
//!
//! There is no model and no file: the nodes are a few lines each, and the threads are kept in memory.

// The macros' output must keep it clean.
#![warn(clippy::pedantic)]

use std::error::Error;

use hitl::prelude::*;

/// The kind of a letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Question,
    Advertisement,
}

/// The result of proofreading a reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Check {
    Good,
    TooLong,
}

/// The draft that the operator signs.
#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
struct Reply {
    #[garde(length(chars, min = 1, max = 500))]
    text: String,
}

/// The state of one letter.
#[state]
struct Letter {
    #[input]
    text: String,
    kind: Kind,
    order: String,
    /// Both branches of the fork write this field, so it needs a reducer.
    #[reduce(append)]
    facts: Vec<String>,
    reply: Reply,
    check: Check,
    #[output]
    outcome: String,
}

#[node(Letter, writes = kind)]
async fn sort(text: &str) -> Result<Kind> {
    Ok(if text.contains('?') { Kind::Question } else { Kind::Advertisement })
}

#[node(Letter, writes = order)]
async fn find_order(text: &str) -> Result<String> {
    let order = text.split_whitespace().find(|word| word.starts_with("A-"));
    Ok(order.ok_or_else(|| NodeError::msg("the letter names no order"))?.to_owned())
}

#[node(Letter, writes = facts)]
async fn ask_warehouse(order: &str) -> Result<Vec<String>> {
    Ok(vec![format!("Order {order} left the warehouse on Monday.")])
}

#[node(Letter, writes = facts)]
async fn ask_carrier(order: &str) -> Result<Vec<String>> {
    Ok(vec![format!("The carrier brings {order} on Thursday."), "Rain delays its boats.".into()])
}

/// Drafts a reply with all the facts, or with fewer after the proofreader found it too long.
#[node(Letter, writes = reply)]
async fn draft(facts: &[String], check: Option<&Check>) -> Result<Reply> {
    let kept = if check == Some(&Check::TooLong) { 2 } else { facts.len() };
    Ok(Reply { text: facts.iter().take(kept).map(String::as_str).collect::<Vec<_>>().join(" ") })
}

#[node(Letter, writes = check)]
async fn proofread(reply: &Reply) -> Result<Check> {
    Ok(if reply.text.chars().count() > 100 { Check::TooLong } else { Check::Good })
}

#[interrupt_before(role = "clerk")]
#[node(Letter, writes = outcome, effect)]
async fn send(reply: &Approved<Reply>) -> Result<String> {
    Ok(format!("sent, signed by {}: {}", reply.signer(), reply.text))
}

/// An effect without a review, so it declares its low risk.
#[node(Letter, writes = outcome, effect, risk = low)]
async fn file(rejection: Option<&Rejection>) -> Result<String> {
    let why = rejection.map_or("it asks nothing", |rejection| rejection.reason.as_str());
    Ok(format!("filed away unanswered: {why}"))
}

graph! {
    /// Sorts letters, and answers a question once a clerk has signed the answer.
    Mailroom<Letter> {
        start -> sort -> match kind {
            Kind::Question => find_order -> (ask_warehouse, ask_carrier) -> draft,
            Kind::Advertisement => file -> end,
        };
        draft -> proofread -> match check {
            Check::TooLong => draft,
            Check::Good => send -> end,
        };
        send { reject -> file }
    }
}

/// Runs one letter to its end, and prints its journal and outcome.
async fn deliver(mailroom: &Agent<Mailroom>, name: &str, text: &str) -> Result<(), Box<dyn Error>> {
    let clerk = Operator::new("mara").role("clerk");
    let mut turn = mailroom.start(name, LetterInput { text: text.into() }).await?;
    // Approve every review until the run is done.
    let outcome = loop {
        turn = match turn {
            MailroomTurn::Send(review) => {
                println!("{name}: mara reads: {}", review.draft().text);
                review.approve(&clerk).await?
            }
            MailroomTurn::Done(outcome) => break outcome,
            other => return Err(other.to_string().into()),
        };
    };
    for entry in mailroom.history(name, 0, 100).await? {
        println!("{name}: {} {} {}", entry.place, entry.event.name(), entry.event.node().unwrap_or_default());
    }
    println!("{name}: {outcome}\n");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mailroom = Mailroom::new(MemoryStore::new());
    deliver(&mailroom, "letter-1", "Where is my order A-9133 ?").await?;
    deliver(&mailroom, "letter-2", "Buy two boats, get one free!").await?;
    Ok(())
}
