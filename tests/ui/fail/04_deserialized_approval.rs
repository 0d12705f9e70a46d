//! An `Approved` is deserialized.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

fn read(json: &str) -> Approved<RefundDraft> {
    serde_json::from_str(json).unwrap()
//  ^^^^^^^^^^^^^^^^^^^^^^^^^^ is not implemented for `hitl::Approved<fixture::RefundDraft>`
}

fn main() {}
