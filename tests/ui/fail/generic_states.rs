//! States with parameters, and with fields that borrow. Their uses report nothing else.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state]
pub struct Mail<T> {
//             ^^^ state `Mail` is generic, but a state must be concrete: name the types of its fields
    #[input]
    text: T,
    letter: String,
}

#[node(Mail, writes = letter)]
async fn write(text: &str) -> Result<String> {
    Ok(text.to_owned())
}

graph! {
    Mailer<Mail> {
        start -> write -> end;
    }
}

graph! {
    Texts<Mail<String>> {
        start -> write -> end;
    }
}

#[state]
pub struct Lines<'a> {
//              ^^^^ state `Lines` is generic
    #[input]
    text: &'a str,
}

#[node(Lines)]
async fn print(text: &str) -> Result<()> {
    Ok(())
}

#[state]
pub struct Page {
    #[input]
    text: &'static str,
//        ^^^^^^^^^^^^ field `text` borrows, but the values of a state are read from the journal and must own their data: write `text: String`
    lines: Vec<&str>,
//         ^^^^^^^^^ field `lines` borrows, but the values of a state are read from the journal and must own their data: write `lines: Vec<String>`
}

#[node(Page, writes = lines)]
async fn split(text: &str) -> Result<Vec<String>> {
    Ok(Vec::new())
}

graph! {
    Printer<Page> {
        start -> split -> end;
    }
}

fn main() {
    let agent = Mailer::new(MemoryStore::new());
    let _ = agent.start("m-1", MailInput { text: String::new() });
    let _ = PageInput { text: String::new() };
}
