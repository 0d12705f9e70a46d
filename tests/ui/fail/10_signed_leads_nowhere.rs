//! What was signed would be done, and then the thread could not go on.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute;
//                        ^^^^^^^ `execute` leads nowhere once it is signed: write `execute -> …;`, or `execute -> end;`
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
