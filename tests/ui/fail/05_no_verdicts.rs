//! A review without a verdict block.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
//                        ^^^^^^^ node `execute` stops for a person, but the graph says nothing of a rejection: add `execute { reject -> … }`
    }
}

fn main() {}
