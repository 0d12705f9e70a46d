//! A parameter has another type than its field.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = plan)]
async fn borrowed(message: &u32) -> Result<String> {
//                ^^^^^^^ the node takes a field of type `String` as `u32`
//  | this field of the state is of type `String`
//  | take it as `&String`, or change the type of the field
    Ok(String::new())
}

#[node(Ticket, writes = plan)]
async fn perhaps(message: &str, risk: Option<&str>) -> Result<String> {
//                              ^^^^ the node takes a field of type `fixture::Risk` as `str`
    Ok(String::new())
}

#[node(Ticket, writes = plan)]
async fn owned(draft: std::string::String) -> Result<String> {
//             ^^^^^ the node takes a field of type `RefundDraft` as `String`
    Ok(String::new())
}

#[node(Ticket, writes = plan, effect)]
async fn signed(draft: &Approved<String>) -> Result<String> {
//              ^^^^^ the node takes a field of type `RefundDraft` as `Approved<String>`
    Ok(String::new())
}

// The type that is no draft and has no invariants is not that of the field, so that is not reported.
#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn reviewed(draft: &Approved<Risk>) -> Result<Outcome> {
//                ^^^^^ the node takes a field of type `RefundDraft` as `Approved<fixture::Risk>`
//  | take it as `&Approved<RefundDraft>`
    Ok(Outcome)
}

fn main() {}
