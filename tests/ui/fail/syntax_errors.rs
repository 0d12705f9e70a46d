//! A parameter without a comma before it, and one without a type. rustc reports them, and the macros nothing else.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = outcome)]
async fn summarize(message: &str plan: &str) -> Result<Outcome> {
//                               ^^^^ expected one of
//  | missing `,`
    Ok(Outcome)
}

#[interrupt_before]
#[node(Ticket, writes = plan)]
async fn rewrite(message: ) -> Result<String> {
//                        ^ expected type, found `)`
    Ok(String::new())
}

graph! {
    Agent<Ticket> {
        start -> rewrite -> summarize -> end;
    }
}

fn main() {}
