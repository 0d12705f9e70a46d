//! A branch leaves its fork by another way than the join.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> (execute, plan) -> cancel -> end;
        execute { reject -> end }
    }
}

fn main() {}
