//! A proof is cloned.
#[path = "../desk.rs"]
mod desk;
use desk::*;

fn twice(draft: Approved<RefundDraft>) -> (Approved<RefundDraft>, Approved<RefundDraft>) {
    (draft.clone(), draft)
//   ^^^^^^^^^^^^^ mismatched types
}

fn main() {}
