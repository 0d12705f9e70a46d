//! A field with a type that cannot be serialized as JSON.
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
