//! States that cannot be.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[state]
pub struct Tuple(String);

#[state]
pub struct Generic<T> {
    value: T,
}

#[state]
pub struct Reduced {
    #[reduce]
    pub notes: Vec<String>,
    #[reduce(plus)]
    pub sum: u32,
}

fn plus(old: u32, new: u32) -> u64 {
    u64::from(old + new)
}

fn main() {}
