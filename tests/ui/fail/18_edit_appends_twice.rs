//! An edit would run a node again that adds to a list, so that the list would also hold what it said of the old draft.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state]
pub struct Order {
    #[input]
    pub draft: RefundDraft,
    #[reduce(append)]
    pub findings: Vec<String>,
    #[output]
    pub outcome: String,
}

#[node(Order, writes = findings)]
async fn inspect(draft: &RefundDraft) -> Result<Vec<String>> {
    Ok(vec![format!("there is room for {}", draft.amount)])
}

#[interrupt_before(role = "clerk", show = (findings))]
#[node(Order, writes = outcome, effect)]
async fn pay(draft: &Approved<RefundDraft>, findings: &[String]) -> Result<String> {
    Ok(findings.join(", "))
}

#[node(Order, writes = outcome)]
async fn stop(rejection: Option<&Rejection>) -> Result<String> {
    Ok("not paid".to_owned())
}

graph! {
    Payer<Order> {
        start -> inspect -> pay -> end;
//                          ^^^ an edit of `draft` at the review before `pay` would rerun the path from where `draft` is written, because node `inspect` depends on it, and node `inspect` on that path would add to `findings` a second time: write `#[interrupt_before(edit = false)]` on `pay`, whose review then accepts no edit, or remove the reducer of `findings`, or write it after the review
        pay { reject -> stop }
        stop -> end;
    }
}

fn main() {}
