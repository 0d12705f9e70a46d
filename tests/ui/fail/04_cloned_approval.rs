//! An `Approved` is cloned.
#[path = "../desk.rs"]
mod desk;
use desk::*;

fn twice(draft: Approved<RefundDraft>) -> (Approved<RefundDraft>, Approved<RefundDraft>) {
    (draft.clone(), draft)
//   ^^^^^^^^^^^^^ expected `Approved<RefundDraft>`, found `RefundDraft`
}

fn main() {}
