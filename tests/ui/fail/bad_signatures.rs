//! Signatures that no node can have.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[node(Ticket, writes = plan)]
fn not_async(message: &str) -> Result<String> {
    Ok(String::new())
}

#[node(Ticket, writes = plan)]
async fn no_result(message: &str) -> String {
    String::new()
}

#[node(Ticket, writes = plan)]
async fn in_place(message: &str, plan: &mut String) -> Result<String> {
    Ok(String::new())
}

#[node(Ticket, writes = plan)]
async fn owned_context(message: &str, cx: hitl::Cx) -> Result<String> {
    Ok(String::new())
}

#[node(writes = plan)]
async fn no_state(message: &str) -> Result<String> {
    Ok(String::new())
}

#[node(Ticket, writes = outcome, effect, risk = low, retries = 3)]
async fn blind(message: &str) -> Result<Outcome> {
    Ok(Outcome)
}

fn main() {}
