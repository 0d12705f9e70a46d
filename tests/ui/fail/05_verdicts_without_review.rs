//! A verdict block of a node without a review.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancel }
        draft { reject -> cancel }
//                        ^^^^^^ `reject` leaves node `draft`, which has no review: put `#[interrupt_before]` on it, or remove the edge
        cancel -> end;
    }
}

fn main() {}
