//! A proof is built by hand.
#[path = "../desk.rs"]
mod desk;
use desk::*;

fn forge(value: RefundDraft) -> Approved<RefundDraft> {
    Approved { value }
//  ^^^^^^^^ cannot construct `hitl::Approved<_>` with struct literal syntax due to private fields
}

fn main() {}
