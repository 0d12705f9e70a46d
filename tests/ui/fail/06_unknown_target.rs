//! A verdict leads to a node that does not exist, and a misspelled node leaves another one without a path.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancle }
//                          ^^^^^^ cannot find type `cancle` in this scope
//  | a struct with a similar name exists
        cancel -> end;
    }
}

graph! {
    Misspelled<Ticket> {
        start -> draft -> exekute -> end;
//                        ^^^^^^^ cannot find type `exekute` in this scope
//  | a struct with a similar name exists
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
