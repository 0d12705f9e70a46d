//! A parameter has another type than its field.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[node(Ticket, writes = plan)]
async fn borrowed(message: &u32) -> Result<String> {
//                         ^^^^ mismatched types
    Ok(String::new())
}

#[node(Ticket, writes = plan)]
async fn perhaps(message: &str, risk: Option<&str>) -> Result<String> {
//                                    ^^^^^^^^^^^^ mismatched types
    Ok(String::new())
}

#[node(Ticket, writes = plan)]
async fn owned(draft: std::string::String) -> Result<String> {
//                    ^^^^^^^^^^^^^^^^^^^ mismatched types
    Ok(String::new())
}

#[node(Ticket, writes = plan, effect)]
async fn signed(draft: Approved<String>) -> Result<String> {
//                     ^^^^^^^^^^^^^^^^ mismatched types
    Ok(String::new())
}

fn main() {}
