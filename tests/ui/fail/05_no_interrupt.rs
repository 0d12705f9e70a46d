//! A verdict block where nobody is asked.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancel }
        draft { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
