//! Arguments, derives and fields that `#[draft]` does not support.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[draft(foreign)]
//      ^^^^^^^ `#[draft]` takes no arguments
pub struct Letter;

#[draft]
#[derive(Clone, Serialize, hitl::prelude::Deserialize)]
//              ^^^^^^^^^ `#[draft]` derives `Serialize` itself: leave it out here
//                         ^^^^^^^^^^^^^^^^^^^^^^^^^^ `#[draft]` derives `hitl::prelude::Deserialize` itself: leave it out here
pub struct Refund {
    #[serde(default, skip_serializing)]
//                   ^^^^^^^^^^^^^^^^ field `cents` is left out with `skip_serializing`, so nobody would see or sign it
    cents: u64,
    #[draft(forein)]
//    ^^^^^^^^^^^^^ on a field `#[draft(foreign)]` is all there is
    note: String,
}

#[draft]
pub struct Line<'a> {
//              ^^ draft `Line` borrows, and the journal gives back what it owns
    text: &'a str,
}

mod nodes {
    #[hitl::draft]
    fn pay() {}
//  ^^^^^^^^^^^ `#[draft]` stands on a struct or an enum
}

fn main() {}
