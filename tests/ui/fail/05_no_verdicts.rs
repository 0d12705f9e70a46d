//! A review without a verdict block.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
//                        ^^^^^^^ node `execute` has a review, but no `reject` edge: add `execute { reject -> … }`
    }
}

fn main() {}
