//! A verdict block of a node without a review.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancel }
        draft { reject -> cancel }
//                        ^^^^^^ `reject` leaves node `draft`, which stops for nobody: put `#[interrupt_before]` on it, or take the line out
        cancel -> end;
    }
}

fn main() {}
