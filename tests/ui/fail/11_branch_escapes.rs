//! A branch leaves its fork by another edge than the one to the join.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> (execute, plan) -> cancel -> end;
        execute { reject -> end }
//                          ^^^ `execute` runs in a branch after `draft`, and may leave it for `cancel` alone, where the branches meet: lead to `cancel`, and from there to `end`
    }
}

fn main() {}
