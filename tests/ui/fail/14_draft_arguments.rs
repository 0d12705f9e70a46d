//! Arguments, derives and fields that `#[draft]` does not support.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[draft(foreign)]
//      ^^^^^^^ `#[draft]` takes no arguments
pub struct Letter;

#[draft]
#[derive(Clone, Serialize, hitl::prelude::Deserialize)]
//              ^^^^^^^^^ `#[draft]` derives `Serialize` itself: remove it here
//                         ^^^^^^^^^^^^^^^^^^^^^^^^^^ `#[draft]` derives `hitl::prelude::Deserialize` itself: remove it here
pub struct Refund {
    #[serde(default, skip_serializing)]
//                   ^^^^^^^^^^^^^^^^ field `cents` is skipped by `skip_serializing`, so it would be neither shown nor signed
    cents: u64,
    #[draft(forein)]
//    ^^^^^^^^^^^^^ `#[draft]` on field `note` takes only `foreign`
    note: String,
}

#[draft]
pub struct Line<'a> {
//              ^^ draft `Line` borrows, but a draft is read from the journal and must own its data
    text: &'a str,
}

mod nodes {
    #[hitl::draft]
    fn pay() {}
//  ^^^^^^^^^^^ `#[draft]` applies to a struct or an enum
}

fn main() {}
