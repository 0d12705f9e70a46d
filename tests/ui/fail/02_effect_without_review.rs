//! An effect that nobody signs.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[node(Ticket, writes = outcome, effect)]
async fn pay(message: &str) -> Result<Outcome> {
    Ok(Outcome)
}

fn main() {}
