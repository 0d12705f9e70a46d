//! A function without `#[node]`.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

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
