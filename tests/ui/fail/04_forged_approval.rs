//! An `Approved` is built by hand.
#[path = "../desk.rs"]
mod desk;
use desk::*;

fn forge(value: RefundDraft) -> Approved<RefundDraft> {
    Approved { value }
//  ^^^^^^^^ private fields
}

fn main() {}
