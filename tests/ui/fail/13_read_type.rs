//! A parameter has another type than its field.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = plan)]
async fn borrowed(message: &u32) -> Result<String> {
//                         ^^^^ expected `&u32`, found `&String`
    Ok(String::new())
}

#[node(Ticket, writes = plan)]
async fn perhaps(message: &str, risk: Option<&str>) -> Result<String> {
//                                    ^^^^^^^^^^^^ expected `&str`, found `&Risk`
    Ok(String::new())
}

#[node(Ticket, writes = plan)]
async fn owned(draft: std::string::String) -> Result<String> {
//                    ^^^^^^^^^^^^^^^^^^^ expected `String`, found `RefundDraft`
    Ok(String::new())
}

#[node(Ticket, writes = plan, effect)]
async fn signed(draft: &Approved<String>) -> Result<String> {
//                     ^^^^^^^^^^^^^^^^^ expected `&Approved<String>`, found `&Approved<RefundDraft>`
    Ok(String::new())
}

fn main() {}
