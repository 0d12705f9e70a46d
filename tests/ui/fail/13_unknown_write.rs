//! `writes` with a name that no field has.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = pln)]
//                      ^^^ no field `pln`
//  | a field with a similar name exists
async fn summarize(message: &str) -> Result<String> {
    Ok(String::new())
}

fn main() {}
