//! Function signatures that no node can have.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[node(Ticket, writes = plan)]
pub fn not_async(message: &str) -> Result<String> {
//  ^^ node `not_async` is not async: write `async fn not_async`
    Ok(String::new())
}

#[node(Ticket, writes = plan)]
async fn no_result(message: &str) -> String {
//                                   ^^^^^^ node `no_result` returns `String`, and every node may fail: write `-> Result<T>`
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

#[node(writes = plan)]
//     ^^^^^^ a node works on a state, which comes first: `#[node(Ticket, writes = plan)]`
async fn no_state(message: &str) -> Result<String> {
    Ok(String::new())
}

#[node(Ticket, writes = outcome, effect, risk = low, retries = 3)]
//                                                   ^^^^^^^ effect node `blind` is never tried again blindly, for its first try may have happened: pass `cx.idempotency_key()` on and declare `idempotent`, or take `retries` out
async fn blind(message: &str) -> Result<Outcome> {
    Ok(Outcome)
}

fn main() {}
