//! A node takes a rejection, and a path without a rejection leads to it.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = outcome)]
async fn apologize(rejection: &Rejection) -> Result<Outcome> {
    Ok(Outcome)
}

graph! {
    Agent<Ticket> {
        start -> draft -> match draft.amount { 0.0 => apologize, _ => execute };
//                                                    ^^^^^^^^^ node `apologize` takes `&Rejection`, but a path reaches it without one: `start -> draft -> apologize`; take `Option<&Rejection>`, or let only `reject` lead to `apologize`
        execute { reject -> apologize }
        execute -> end;
        apologize -> end;
    }
}

fn main() {}
