//! Two inputs of one state with the same name.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state]
pub struct Mail {
    #[input]
    pub address: String,
    #[input]
    pub address: u32,
//  ^^^^^^^^^^^^^^^^ field `address` is already declared
//  | first declared here
}

fn main() {}
