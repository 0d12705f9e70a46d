//! State versions to which no old thread could be migrated.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[state(version = 2)]
//                ^ version 2 of state `Second` needs a way over from what earlier ones wrote: add `migrate = f`, with `fn f(from: u32, fields: &mut hitl::journal::Map) -> hitl::Result<()>`
pub struct Second {
    #[input]
    pub message: String,
}

#[state(migrate = over)]
//      ^^^^^^^ `migrate` leads to a later version of state `First`, and it says none: add `version = 2`
pub struct First {
    #[input]
    pub message: String,
}

#[state(version = 0, migrate = over)]
//                ^ a version is a whole number: the first is 1, the next one `version = 2`
pub struct Before {
    #[input]
    pub message: String,
}

#[state(vresion = 2, migrate = over, input)]
//      ^^^^^^^ `#[state]` knows no `vresion`; did you mean `version`?
//                                   ^^^^^ `#[state]` knows no `input`; it takes `version` and `migrate`
pub struct Misspelt {
    #[input]
    pub message: String,
}

#[state(version = 2, migrate = whole)]
//                             ^^^^^ expected fn pointer
pub struct Whole {
    #[input]
    pub message: String,
}

fn over(from: u32, fields: &mut hitl::journal::Map) -> Result<()> {
    Ok(())
}

/// It does not work on a copy.
fn whole(from: u32, fields: hitl::journal::Map) -> Result<hitl::journal::Map> {
    Ok(fields)
}

fn main() {}
