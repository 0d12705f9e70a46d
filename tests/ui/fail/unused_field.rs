//! A field that no node names is reported as dead code: not an input, not one with an underscore, and not one that allows
//! it. A `pub` field may be read elsewhere.
#![deny(dead_code)]
use hitl::prelude::*;

#[state]
pub struct Mail {
    #[input]
    text: String,
    #[input]
    ignored: u32,
    written: u32,
    read: u32,
    routed: u32,
    spare: String,
//  ^^^^^ field `spare` is never read
    pub public: String,
    _reserved: String,
    #[allow(dead_code)]
    allowed: String,
    #[output]
    sent: bool,
}

#[allow(dead_code)]
#[state]
pub struct Allowed {
    spare: String,
}

#[node(Mail, writes = (written, routed))]
async fn write(text: &str, read: Option<&u32>) -> Result<(u32, u32)> {
    Ok((text.len() as u32, read.copied().unwrap_or(0)))
}

#[node(Mail, writes = sent)]
async fn send(text: &str) -> Result<bool> {
    Ok(text.is_empty())
}

graph! {
    Mailer<Mail> {
        start -> write -> match routed { 0 => send, _ => send };
        send -> end;
    }
}

fn main() {
    let _agent = Mailer::new(MemoryStore::new());
}
