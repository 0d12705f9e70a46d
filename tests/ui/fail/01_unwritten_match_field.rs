//! A `match` looks at a field that nothing has written.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> plan -> match risk { Risk::High => cancel, _ => cancel };
        cancel -> end;
    }
}

fn main() {}
