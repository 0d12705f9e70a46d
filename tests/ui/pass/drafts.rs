//! Every form of a draft.
#![deny(warnings)]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hitl::prelude::*;

/// A type of another crate, as far as this one can tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rates(pub HashMap<String, f64>);

/// Above the other derives.
#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Transfer {
    #[garde(length(min = 1))]
    pub to_account: String,
    #[garde(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Box<str>>,
    #[garde(skip)]
    #[draft(foreign)]
    pub rates: Rates,
    #[garde(skip)]
    pub parts: BTreeMap<String, Vec<Part<u64>>>,
    #[garde(skip)]
    pub tags: BTreeSet<(u8, char)>,
    #[garde(skip)]
    pub arguments: serde_json::Value,
    #[garde(skip)]
    #[cfg(any())]
    pub gone: HashMap<u8, u8>,
    #[garde(skip)]
    pub r#type: Kind,
}

/// Below them.
#[derive(Clone, Debug, PartialEq)]
#[draft]
pub struct Part<T: Clone>
where
    T: PartialEq,
{
    pub value: T,
    pub rest: Option<Box<Part<T>>>,
}

#[draft]
#[derive(Clone, Debug, PartialEq, Eq)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    Plain,
    #[cfg(any())]
    Gone(HashMap<u8, u8>),
    Urgent {
        hours: u8,
    },
}

#[draft]
#[derive(Clone, Debug)]
pub struct Cents(pub u64);

#[draft]
#[derive(Clone, Debug)]
pub struct Unit;

#[draft]
pub enum Never {}

#[draft]
#[derive(Clone, Debug)]
pub enum Action {
    Pay(Cents, [u8; 2]),
    Wait(()),
    Stop,
}

#[state]
pub struct Desk {
    #[input]
    pub transfer: Transfer,
    pub count: HashMap<String, u64>,
}

#[interrupt_before]
#[node(Desk, effect)]
async fn pay(transfer: &Approved<Transfer>) -> Result<()> {
    let _ = (&transfer.to_account, &transfer.rates);
    Ok(())
}

graph! { Agent<Desk> { start -> pay -> end; pay { reject -> end } } }

fn is_draft<T: hitl::Draft>() {}

fn main() {
    is_draft::<Transfer>();
    is_draft::<Part<String>>();
    is_draft::<(Kind, Cents, Unit, Action, Option<Never>)>();
    let _ = Agent::new(MemoryStore::new());
}
