//! Function signatures that no node can have.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = plan)]
pub fn not_async(message: &str) -> Result<String> {
//  ^^ node `not_async` is not async: write `async fn not_async`
    Ok(String::new())
}

#[node(Ticket, writes = plan)]
async fn no_result(message: &str) -> String {
//                                   ^^^^^^ node `no_result` returns `String`, but a node must return a `Result`: write `-> Result<T>`
    String::new()
}

#[node(Ticket, writes = plan)]
async fn in_place(message: &str, plan: &mut String) -> Result<String> {
//                                      ^^^ node `in_place` cannot change `plan` in place: take `&String` and return the new value, with `writes = plan`
    Ok(String::new())
}

#[node(Ticket, writes = plan)]
async fn owned_context(message: &str, cx: hitl::Cx) -> Result<String> {
//                                        ^^^^^^^^ a node borrows its context: take `&Cx`
    Ok(String::new())
}

#[node(Ticket, writes = outcome)]
async fn owned_rejection(rejection: Option<Rejection>) -> Result<Outcome> {
//                                  ^^^^^^^^^^^^^^^^^ a node borrows the rejection: take `Option<&Rejection>`
    Ok(Outcome)
}

#[node(Ticket, writes = outcome)]
async fn whole_question(question: &Option<Question>, desk: Option<Deps<Desk>>) -> Result<Outcome> {
//                                ^^^^^^^^^^^^^^^^^ a node borrows the question: take `Option<&Question>`
//                                                         ^^^^^^^^^^^^^^^^^^ a node always has its dependencies: take `Deps<Desk>`
    Ok(Outcome)
}

#[node(writes = plan)]
//     ^^^^^^ the first argument of `#[node]` must be the type of the state: `#[node(Ticket, writes = plan)]`
async fn no_state(message: &str) -> Result<String> {
    Ok(String::new())
}

#[node(Ticket, writes = outcome, effect, risk = low, retries = 3)]
//                                                   ^^^^^^^ effect node `blind` cannot have `retries`, because a failed attempt may have had its effect: pass `cx.idempotency_key()` on and declare `idempotent`, or remove `retries`
async fn blind(message: &str) -> Result<Outcome> {
    Ok(Outcome)
}

fn main() {}
