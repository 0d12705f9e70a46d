//! Types, graphs and nodes of another state in a graph.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

pub struct Letter;

#[state]
pub struct Mail {
    #[input]
    text: String,
    #[output]
    sent: bool,
}

#[node(Mail, writes = sent)]
async fn send(text: &str) -> Result<bool> {
    Ok(true)
}

graph! {
    Mailer<Mail> {
        start -> send -> end;
    }
}

graph! {
    Agent<Ticket> {
        start -> Letter -> Mailer -> send -> cancel -> end;
//               ^^^^^^ `Letter` is not a node: a graph is made of functions with `#[hitl::node(State, writes = field)]`
//                         ^^^^^^ `Mailer` is not a node: a graph is made of functions with `#[hitl::node(State, writes = field)]`
//  | another graph cannot be a node of this one: name its nodes here
//                                   ^^^^ node `send` belongs to another state than `fixture::Ticket`: a graph has one state, and all of its nodes are of that state
//  | write `#[node(fixture::Ticket, …)]` on the node, or give the graph the state of the node
    }
}

fn main() {}
