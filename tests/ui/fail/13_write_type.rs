//! A node returns another type than its field.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = plan)]
async fn count(message: &str) -> Result<usize> {
//                                      ^^^^^ expected `&String`, found `&usize`
    Ok(message.len())
}

#[node(Ticket, writes = (plan, risk))]
async fn both(message: &str) -> Result<(String, String)> {
//                                              ^^^^^^ expected `&Risk`, found `&String`
    Ok((String::new(), String::new()))
}

fn main() {}
