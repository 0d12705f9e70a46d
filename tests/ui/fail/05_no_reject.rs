//! A verdict block without a rejection.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { ask -> draft }
    }
}

fn main() {}
