//! A node returns another type than its field.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = plan)]
//                      ^^^^ the node returns `usize` for a field of type `String`
//  | this field of the state is of type `String`
//  | return `String`, name another field in `writes`, or change the type of the field
async fn count(message: &str) -> Result<usize> {
    Ok(message.len())
}

#[node(Ticket, writes = (plan, risk))]
//                             ^^^^ the node returns `String` for a field of type `Risk`
async fn both(message: &str) -> Result<(String, String)> {
    Ok((String::new(), String::new()))
}

fn main() {}
