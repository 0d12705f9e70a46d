//! An `Option` in place of a reference, and the other way around.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = outcome)]
async fn owned(plan: Option<String>) -> Result<Outcome> {
//             ^^^^ the node takes a field of type `String` as `Option<String>`: take `Option<&String>` if the field may be unwritten, or `&String` if it is written on every path
//  | this field of the state is of type `String`, and no `Option`
    Ok(Outcome)
}

#[node(Ticket, writes = outcome)]
async fn whole(plan: &Option<String>) -> Result<Outcome> {
//             ^^^^ the node takes a field of type `String` as `Option<String>`: take `Option<&String>`
    Ok(Outcome)
}

#[state]
pub struct Note {
    #[input]
    text: Option<String>,
    #[output]
    length: usize,
}

#[node(Note, writes = length)]
async fn count(text: Option<&String>) -> Result<usize> {
//             ^^^^ Option<String>` as `String`
//  | Option<String>`, or change the type of the field in the `#[state]`
    Ok(0)
}

fn main() {}
