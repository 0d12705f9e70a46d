//! A `match` does not cover all cases.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> triage -> match risk { Risk::High => draft, Risk::Low => cancel };
//                               ^^^^ `&desk::Risk::Odd` not covered
        draft -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
