//! What a node returns and what `writes` names are not of one number.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[node(Ticket, writes = (plan, risk))]
async fn three(message: &str) -> Result<(String, Risk, u8)> {
    Ok((String::new(), Risk::Low, 3))
}

#[node(Ticket)]
async fn forgotten(message: &str) -> Result<String> {
    Ok(String::new())
}

fn main() {}
