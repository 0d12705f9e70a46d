//! Code as a developer writes it in the first hour: it compiles, and it runs.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{error::Error, sync::Arc};

use hitl::prelude::*;

/// The dependencies, behind a trait.
pub trait Bank: Send + Sync {
    fn pay(&self, cents: u32) -> Result<String, Box<dyn Error + Send + Sync>>;
}

struct TestBank;

impl Bank for TestBank {
    fn pay(&self, cents: u32) -> Result<String, Box<dyn Error + Send + Sync>> {
        if cents > 500 {
            Err("too much")?
        }
        Ok(format!("paid {cents}"))
    }
}

pub struct Desk {
    bank: Arc<dyn Bank>,
}

impl Provides<dyn Bank> for Desk {
    fn provide(this: &Arc<Self>) -> hitl::Deps<dyn Bank> {
        Deps::new(Arc::clone(&this.bank))
    }
}

#[state]
pub struct Job {
    #[input]
    text: String,
    cents: u32,
    #[output]
    outcome: String,
}

/// `?` takes a text, a boxed error, and every other error.
#[node(Job, writes = cents)]
async fn read(text: &str) -> Result<u32> {
    let number = text.strip_prefix('$').ok_or("the text is no amount")?;
    let dollars: u32 = number.parse()?;
    Ok(dollars.checked_mul(100).ok_or_else(|| format!("{dollars} dollars are too many"))?)
}

#[node(Job, writes = outcome)]
async fn pay(cents: u32, bank: Deps<dyn Bank>) -> Result<String> {
    Ok(bank.pay(cents)?)
}

graph! {
    pub Payer<Job, Desk> {
        start -> read -> pay -> end;
    }
}

async fn outcome(text: &str) -> String {
    let agent = Payer::new(Desk { bank: Arc::new(TestBank) }, MemoryStore::new());
    match agent.start("t", JobInput { text: text.to_owned() }).await.unwrap() {
        PayerTurn::Done(outcome) => outcome,
        turn => turn.to_string(),
    }
}

#[tokio::test]
async fn errors_of_every_kind_reach_the_operator() {
    assert_eq!(outcome("$3").await, "paid 300");
    for (text, said) in [
        ("3", "the text is no amount"),
        ("$x", "invalid digit found in string"),
        ("$4294967295", "4294967295 dollars are too many"),
        ("$6", "too much"),
    ] {
        let turn = outcome(text).await;
        assert!(turn.contains(said), "{turn}");
    }
}
