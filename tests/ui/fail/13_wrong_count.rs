//! A node returns more or fewer values than `writes` names fields.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = (plan, risk))]
async fn three(message: &str) -> Result<(String, Risk, u8)> {
//                                      ^^^^^^^^^^^^^^^^^^ node `three` returns 3 values, but `writes` names 2 fields: `plan` and `risk`
    Ok((String::new(), Risk::Low, 3))
}

#[node(Ticket)]
async fn forgotten(message: &str) -> Result<String> {
//                                          ^^^^^^ node `forgotten` returns `String`, but has no `writes`: add `writes = field`, or return `Result<()>`
    Ok(String::new())
}

fn main() {}
