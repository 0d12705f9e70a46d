//! A function without `#[node]`.
#[path = "../desk.rs"]
mod desk;
use desk::*;

async fn summarize(message: &str) -> Result<String> {
    Ok(String::new())
}

graph! {
    Agent<Ticket> {
        start -> summarize -> cancel -> end;
//               ^^^^^^^^^ expected type, found function `summarize`
    }
}

fn main() {}
