//! An `Approved` is built by hand.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

fn forge(value: RefundDraft) -> Approved<RefundDraft> {
    Approved { value }
//  ^^^^^^^^ private fields
}

fn main() {}
