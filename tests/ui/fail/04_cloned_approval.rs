//! An `Approved` is cloned.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

fn twice(draft: Approved<RefundDraft>) -> (Approved<RefundDraft>, Approved<RefundDraft>) {
    (draft.clone(), draft)
//   ^^^^^^^^^^^^^ expected `Approved<RefundDraft>`, found `RefundDraft`
}

fn main() {}
