//! Two branches write one field.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = plan)]
async fn replan(message: &str) -> Result<String> {
    Ok(String::new())
}

graph! {
    Agent<Ticket> {
        start -> (plan, triage -> replan) -> cancel -> end;
//                                ^^^^^^ nodes `plan` and `replan` run concurrently and both write `plan`: let one of them use another field, or give `plan` a reducer with `#[reduce(…)]`
    }
}

fn main() {}
