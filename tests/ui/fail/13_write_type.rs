//! A node returns another type than its field.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[node(Ticket, writes = plan)]
async fn count(message: &str) -> Result<usize> {
//                                      ^^^^^ mismatched types
    Ok(message.len())
}

#[node(Ticket, writes = (plan, risk))]
async fn both(message: &str) -> Result<(String, String)> {
//                                              ^^^^^^ mismatched types
    Ok((String::new(), String::new()))
}

fn main() {}
