//! A proof is deserialized.
#[path = "../desk.rs"]
mod desk;
use desk::*;

fn read(json: &str) -> Approved<RefundDraft> {
    serde_json::from_str(json).unwrap()
//  ^^^^^^^^^^^^^^^^^^^^^^^^^^ the trait bound `hitl::Approved<desk::RefundDraft>: serde::Deserialize<'de>` is not satisfied
}

fn main() {}
