//! An `expire` edge of a review without a deadline.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancel, expire -> cancel }
//                                            ^^^^^^ `expire` leaves node `execute`, whose review never expires: write `#[interrupt_before(expires = "24h")]` on it, or remove the edge
        cancel -> end;
    }
}

fn main() {}
