//! A field with a type that cannot be serialized as JSON.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[derive(Clone)]
pub struct Letter;

#[state]
pub struct Mail {
    letter: Letter,
//          ^^^^^^ Serialize
//          ^^^^^^ Deserialize
}

fn main() {}
