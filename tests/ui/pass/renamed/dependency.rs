//! A program that has hitl under another name, and behind a facade.
#![deny(warnings)]

mod facade {
    pub use agents as inner;
}

use facade::inner::prelude::*;

#[draft(crate = facade::inner)]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Refund {
    #[garde(range(max = 500))]
    pub dollars: u32,
}

#[draft(crate = facade::inner)]
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Refund { dollars: u32 },
    Other,
}

#[state(crate = agents)]
pub struct Ticket {
    #[input]
    pub kind: Kind,
    pub kinds: Vec<Kind>,
    pub refund: Refund,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

#[node(crate::Ticket, writes = kinds, crate = facade::inner)]
async fn split(kind: &Kind) -> Result<Vec<Kind>> {
    Ok(vec![kind.clone()])
}

#[node(Ticket, crate = agents, writes = refund, retries = 1, backoff = "1s", timeout = "1s")]
async fn draft(kind: Kind, question: Option<&Question>, cx: &Cx) -> Result<Refund, std::io::Error> {
    let _ = (question, cx);
    Ok(Refund { dollars: if let Kind::Refund { dollars } = kind { dollars } else { 0 } })
}

#[node(Ticket, writes = log, effect, crate = facade::inner)]
#[agents::interrupt_before(role = "desk", expires = "24h")]
async fn pay(refund: &Approved<Refund>) -> Result<Vec<String>> {
    Ok(vec![refund.dollars.to_string()])
}

#[agents::interrupt_before]
#[node(Ticket, writes = log, effect, crate = facade::inner)]
async fn pay_all(refund: &Approved<Refund>) -> Result<Vec<String>> {
    Ok(vec![refund.dollars.to_string()])
}

#[node(Ticket, writes = log, crate = agents)]
async fn note(rejection: Option<&Rejection>) -> Result<Vec<String>> {
    Ok(rejection.map(|rejection| rejection.note.clone()).into_iter().collect())
}

graph! {
    crate = facade::inner;
    pub Agent<Ticket> {
        start -> split -> for kind in kinds {
            match kind {
                Kind::Refund { .. } => draft -> pay,
                Kind::Other => note,
            }
        } -> (note_all, draft_all) -> pay_all -> end;
        pay { reject -> note, ask -> draft }
        pay -> continue;
        note -> continue;
        pay_all { reject -> refuse }
        refuse -> end;
    }
}

#[node(Ticket, writes = log, crate = agents)]
async fn note_all() -> Result<Vec<String>> {
    Ok(Vec::new())
}

#[node(Ticket, writes = refund, crate = agents)]
async fn draft_all() -> Result<Refund> {
    Ok(Refund { dollars: 1 })
}

#[node(Ticket, crate = agents)]
async fn refuse(rejection: &Rejection) -> Result<()> {
    let _ = rejection;
    Ok(())
}

#[agents::entrypoint(Agent, crate = agents)]
async fn desk() -> Result<()> {
    Ok(())
}
