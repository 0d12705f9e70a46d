//! A parameter with a name that no field has.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = plan)]
async fn summarize(mesage: &str) -> Result<String> {
//                 ^^^^^^ no field `mesage`
//  | a field with a similar name exists
    Ok(String::new())
}

fn main() {}
