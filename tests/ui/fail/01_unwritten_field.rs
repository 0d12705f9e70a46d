//! A node reads a field that some path has not written.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> plan -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
