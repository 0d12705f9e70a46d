//! A struct without `#[state]`.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

struct Mail {
    address: String,
}

#[node(Mail, writes = address)]
//     ^^^^ `Mail` is not a state
//  | not a state
//  | put `#[hitl::state]` on the struct
async fn find(address: &str) -> Result<String> {
    Ok(String::new())
}

fn main() {}
