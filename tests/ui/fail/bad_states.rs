//! Invalid states.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state]
pub struct Reduced {
    #[reduce]
//    ^^^^^^ field `notes` needs a function that merges the old value with the new one: `#[reduce(append)]` for lists, or `#[reduce(my_fn)]` with `fn my_fn(old: T, new: T) -> T`
    pub notes: Vec<String>,
    #[reduce(plus)]
//           ^^^^ expected fn pointer
    pub sum: u32,
}

#[state]
pub struct Misspelt {
    #[inputs]
//    ^^^^^^ a field of a state has no attribute `#[inputs]`; did you mean `#[input]`?
    pub message: String,
    #[outputs]
//    ^^^^^^^ a field of a state has no attribute `#[outputs]`; did you mean `#[output]`?
    pub plan: String,
}

fn plus(old: u32, new: u32) -> u64 {
    u64::from(old + new)
}

fn main() {}
