//! `#[state]` on items that are no struct with named fields. Nothing else is reported: not the nodes, not the graph, and
//! not the input.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state]
pub enum Mail {
//       ^^^^ state `Mail` is an enum, but a state has named fields, which nodes read and write: write `struct Mail { message: String }`
    Text(String),
}

#[node(Mail, writes = letter)]
async fn write(text: &str) -> Result<String> {
    Ok(text.to_owned())
}

#[interrupt_before]
#[node(Mail, effect)]
async fn send(letter: &Approved<RefundDraft>) -> Result<()> {
    Ok(())
}

graph! {
    Mailer<Mail> {
        start -> write -> match letter { None => end, _ => send };
        send -> end;
        send { reject -> end }
    }
}

fn mailed(turn: MailerTurn) -> MailInput {
    match turn {
        MailerTurn::Send(review) => drop(review),
        MailerTurn::Done(()) => {}
        _ => {}
    }
    MailInput { text: String::new() }
}

mod others {
    use super::*;

    #[state]
    pub struct Tuple(String);
    //         ^^^^^ state `Tuple` is a tuple struct

    #[state]
    pub struct Unit;
    //         ^^^^ state `Unit` is a unit struct

    #[state]
    pub union Both {
    //        ^^^^ state `Both` is a union
        a: u8,
        b: i8,
    }

    #[state]
    pub fn ticket() {}
//  ^^^^^^^^^^^^^^^^^^ `#[state]` applies to a struct with named fields
}

fn main() {
    let agent = Mailer::new(MemoryStore::new());
    let _ = agent.start("m-1", MailInput { text: String::new() });
}
