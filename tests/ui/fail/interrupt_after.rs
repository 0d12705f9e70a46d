//! An attribute that other frameworks have, and attributes on items that they do not apply to.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

    #[interrupt_after(role = "approver")]
//  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `#[interrupt_after]` does not exist, because a person signs before an effect and not after it: put `#[interrupt_before]` on the node that comes next
#[node(Ticket, writes = plan)]
async fn summarize(message: &str) -> Result<String> {
    Ok(String::new())
}

    #[node(Ticket, writes = outcome)]
    #[node(Ticket, writes = outcome)]
//    ^^^^ node `answer` has two `#[node]`: keep one
async fn answer(plan: &str) -> Result<Outcome> {
    Ok(Outcome)
}

#[interrupt_before]
#[node(Ticket, writes = plan)]
pub struct plan;
//         ^^^^ `plan` is a type, but a node is a function: write `async fn plan(…) -> Result<T> { … }`

graph! {
    Agent<Ticket> {
        start -> summarize -> plan -> answer -> end;
    }
}

fn main() {}
