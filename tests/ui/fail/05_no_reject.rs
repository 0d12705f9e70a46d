//! A verdict block without a `reject` edge.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { ask -> draft }
//      ^^^^^^^ nothing says where a rejected `execute` leads: write `execute { reject -> node }`, or `reject -> end` if nothing is to be done
    }
}

fn main() {}
