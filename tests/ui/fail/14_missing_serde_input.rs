//! Inputs of a type that serde does not know, or knows in one direction only. A type is reported once.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[derive(Clone)]
pub struct Letter;

#[derive(Clone, Serialize)]
pub struct Stamp;

#[state]
pub struct Mail {
    #[input]
    letter: Letter,
//          ^^^^^^ a field of a state cannot be of type `Letter`, because the journal cannot keep its value as JSON
//  | not both `Serialize` and `Deserialize`
    #[input]
    stamps: Vec<Stamp>,
//          ^^^^^^^^^^ a field of a state cannot be of type `Vec<Stamp>`
    #[output]
    sent: Letter,
}

#[node(Mail, writes = sent)]
async fn send(letter: &Letter, stamps: &[Stamp]) -> Result<Letter> {
    Ok(letter.clone())
}

graph! {
    Agent<Mail> {
        start -> send -> end;
    }
}

fn main() {
    let agent = Agent::new(MemoryStore::new());
    let _ = agent.start("m-1", MailInput { letter: Letter, stamps: Vec::new() });
}
