//! A draft with fields that have interior mutability, no defined order, or a type that is no `Draft`.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, atomic::AtomicU64},
};

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    iban: String,
}

#[draft]
pub struct Transfer {
    cents: Cell<u64>,
//         ^^^^^^^^^ `Cell<u64>` cannot be signed by a person: it is not a `Draft`
//  | a `Cell`, a `Mutex` or an atomic could change after it is signed
    fee: Mutex<u64>,
//       ^^^^^^^^^^ Mutex<u64>` cannot be signed by a person: it is not a `Draft`
    count: AtomicU64,
//         ^^^^^^^^^ `AtomicU64` cannot be signed by a person: it is not a `Draft`
    to: Address,
//      ^^^^^^^ `Address` cannot be signed by a person: it is not a `Draft`
//  | put `#[hitl::draft]` on it
//  | `#[draft(foreign)]` on the field says that you vouch for it
    #[draft(foreign)]
    vouched: Address,
}

#[draft]
pub enum Order {
    ByAccount(HashMap<String, u64>),
//            ^^^^^^^^^^^^^^^^^^^^ `HashMap<String, u64>` cannot be signed by a person: it is not a `Draft`
//  | in place of `HashMap` and `HashSet` use `BTreeMap` and `BTreeSet`
    Named { names: BTreeMap<String, Vec<HashSet<u8>>> },
//                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `HashSet<u8>` cannot be signed by a person: it is not a `Draft`
}

fn main() {}
