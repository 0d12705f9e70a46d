//! A graph is implemented by hand, with a description that was proved for another graph.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

use hitl::{
    Graph,
    __private::{Error, GraphSpec, NodeTable, Runs, State, ThreadState},
};

graph! {
    Proved<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancel, ask -> draft }
        cancel -> end;
    }
}

struct Forged;

impl Graph for Forged {
//             ^^^^^^ `Forged` is not declared by `graph!`, so nothing proves its description
    type State = Ticket;
    type Deps = ();
    type Turn = ();
    const SPEC: &'static GraphSpec = Proved::SPEC;
    const NODES: &'static [NodeTable] = Proved::NODES;

    fn route(_: usize, _: &<Ticket as State>::View<'_>, _: &Runs) -> Option<usize> {
        None
    }

    fn turn(_: ThreadState<Self>) -> std::result::Result<(), Error> {
        Ok(())
    }
}

fn main() {}
