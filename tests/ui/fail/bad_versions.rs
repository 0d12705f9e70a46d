//! State versions to which no old thread could be migrated.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state(version = 2)]
//                ^ version 2 of state `Second` needs a migration from earlier versions: add `migrate = f`, with `fn f(from: u32, fields: &mut hitl::journal::Map) -> hitl::NodeResult<()>`
pub struct Second {
    #[input]
    pub message: String,
}

#[state(migrate = over)]
//      ^^^^^^^ state `First` has `migrate`, but is at version 1, the first: add `version = 2`, or remove `migrate`
pub struct First {
    #[input]
    pub message: String,
}

#[state(version = 0, migrate = over)]
//                ^ `version` must be a whole number from 1 to 4294967295: the first version is 1, the next `version = 2`
pub struct Before {
    #[input]
    pub message: String,
}

#[state(vresion = 2, migrate = over, input)]
//      ^^^^^^^ `#[state]` has no argument `vresion`; did you mean `version`?
//                                   ^^^^^ `#[state]` has no argument `input`; it takes `version` and `migrate`
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
