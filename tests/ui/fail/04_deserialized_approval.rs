//! An `Approved` is deserialized.
#[path = "../desk.rs"]
mod desk;
use desk::*;

fn read(json: &str) -> Approved<RefundDraft> {
    serde_json::from_str(json).unwrap()
//  ^^^^^^^^^^^^^^^^^^^^^^^^^^ is not implemented for `hitl::Approved<desk::RefundDraft>`
}

fn main() {}
