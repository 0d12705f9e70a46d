//! A node that is generic over a model, and a graph that chooses the model.
#![deny(warnings)]
#![allow(dead_code)]
use hitl::prelude::*;

pub trait Writer: Send + Sync + 'static {
    fn line(&self) -> String;
}

pub struct Fake;

impl Writer for Fake {
    fn line(&self) -> String {
        String::from("a line")
    }
}

#[state]
struct Letter {
    #[input]
    to: String,
    body: String,
    #[output]
    length: usize,
}

#[node(Letter, writes = body)]
async fn write<W>(to: &str, writer: Deps<W>) -> Result<String>
where
    W: Writer,
{
    Ok(format!("{to}: {}", writer.line()))
}

#[node(Letter, writes = length)]
async fn measure<const LIMIT: usize>(body: &str) -> Result<usize> {
    Ok(body.len().min(LIMIT))
}

#[cfg(any())]
#[node(Letter, writes = nothing_of_this_exists)]
async fn absent(unknown: &Unknown) -> Result<()> {}

#[node(Letter, writes = body)]
#[cfg(not(any()))]
async fn present(body: &str) -> Result<String> {
    Ok(body.to_owned())
}

graph! {
    #[cfg(any())]
    Absent<Letter> { start -> absent -> end; }
}

graph! {
    Post<Letter, Fake> {
        start -> write<Fake> -> present -> measure<80> -> end;
    }
}

fn main() {
    let _ = Post::new(Fake, MemoryStore::new());
}
