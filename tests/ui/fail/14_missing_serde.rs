//! A field is kept as JSON, and its type cannot be.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[derive(Clone)]
pub struct Letter;

#[state]
pub struct Mail {
    letter: Letter,
//          ^^^^^^ Serialize
//          ^^^^^^ Deserialize
}

fn main() {}
