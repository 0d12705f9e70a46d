//! `writes` with a name that no field has. That the field with the name that was meant is unwritten is not reported.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = pln)]
//                      ^^^ no field `pln`
//  | a field with a similar name exists
async fn summarize(message: &str) -> Result<String> {
    Ok(String::new())
}

#[node(Ticket, writes = outcome)]
async fn answer(plan: &str) -> Result<Outcome> {
    Ok(Outcome)
}

graph! {
    Agent<Ticket> {
        start -> summarize -> answer -> end;
    }
}

fn main() {}
