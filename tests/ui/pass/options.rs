//! Fields whose type is an `Option`, in each role.
#![deny(warnings)]
use hitl::prelude::*;

#[draft]
#[derive(Clone, Validate)]
pub struct Letter {
    #[garde(inner(length(min = 1)))]
    pub text: Option<String>,
}

#[state]
pub struct Mail {
    #[input]
    pub text: Option<String>,
    pub count: Option<u32>,
    pub letter: Option<Letter>,
    #[output]
    pub sent: Option<String>,
}

#[node(Mail, writes = (count, letter))]
async fn write(text: &Option<String>) -> Result<(Option<u32>, Option<Letter>)> {
    Ok((None, Some(Letter { text: text.clone() })))
}

#[interrupt_before(show = (count))]
#[node(Mail, writes = sent, effect)]
async fn send(letter: &Approved<Option<Letter>>, count: Option<u32>) -> Result<Option<String>> {
    Ok(letter.as_ref().and_then(|letter| letter.text.clone()).filter(|_| count.is_none()))
}

#[node(Mail, writes = sent)]
async fn keep(rejection: Option<&Rejection>, text: Option<&Option<String>>) -> Result<Option<String>> {
    Ok(text.cloned().flatten().filter(|_| rejection.is_some()))
}

graph! {
    Mailer<Mail> {
        start -> write -> match text { Some(_) => send, None => keep };
        send -> end;
        send { reject -> keep }
        keep -> end;
    }
}

fn main() {
    let agent = Mailer::new(MemoryStore::new());
    drop(agent.start("m-1", MailInput { text: None }));
}
