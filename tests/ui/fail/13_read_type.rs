//! A parameter has another type than its field.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[node(Ticket, writes = plan)]
async fn summarize(message: &u32, risk: Option<&str>, draft: String, outcome: Approved<String>) -> Result<String> {
    Ok(String::new())
}

fn main() {}
