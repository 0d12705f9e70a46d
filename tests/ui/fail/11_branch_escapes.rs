//! A branch leaves its fork by another edge than the one to the join.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> (execute, plan) -> cancel -> end;
        execute { reject -> end }
//                          ^^^ `execute` runs in a branch after `draft`, which it can leave only for `cancel`, where the branches join: lead `execute` to `cancel`, and from there to `end`
    }
}

fn main() {}
