//! A parameter with a name that no field has.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = plan)]
async fn summarize(mesage: &str) -> Result<String> {
//                 ^^^^^^ no field `mesage`
//  | a field with a similar name exists
    Ok(String::new())
}

#[state]
pub struct Note {
    #[output]
    text: String,
}

// rustc lists the fields of the state, and no other.
#[node(Note, writes = text)]
async fn unlike(message: &str) -> Result<String> {
//              ^^^^^^^ no field `message`
//  | available field is: `text`
    Ok(String::new())
}

// It is no field, so the review need not show it.
#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &Approved<RefundDraft>, retries: u32) -> Result<Outcome> {
//                                          ^^^^^^^ no field `retries`
    Ok(Outcome)
}

fn main() {}
