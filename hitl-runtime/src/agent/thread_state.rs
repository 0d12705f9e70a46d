//! The turn of a thread with the graph's types, before `graph!` converts it into the graph's own enum.

use std::fmt;

use super::{Agent, AnyReview, Failed, Graph, InDoubt, Running, snapshot};
use crate::{
    Error, Incompatibility,
    engine::{EndTurn, Turn, incompatible},
    journal::Fold,
    state::State,
};

/// The status of a thread, before `graph!` converts it into the graph's own turn type.
pub enum ThreadState<G: Graph> {
    /// One review is open.
    Review(AnyReview<G>),
    /// Several reviews are open.
    Several(Vec<AnyReview<G>>),
    /// The thread has ended.
    Done(<G::State as State>::Output),
    /// An effect is in doubt.
    InDoubt(InDoubt<G>),
    /// A node failed.
    Failed(Failed<G>),
    /// A runner holds the thread, or held it when it died.
    Running(Running<G>),
}

impl<G: Graph> ThreadState<G> {
    pub(super) fn new(agent: &Agent<G>, fold: Fold) -> Result<Self, Error> {
        let turn = agent.engine.turn(fold)?;
        let agent = agent.clone();
        Ok(match turn {
            Turn::Review(turn) => Self::Review(AnyReview { agent, turn }),
            Turn::Several(turns) => {
                let review = |turn| AnyReview { agent: agent.clone(), turn: Box::new(turn) };
                Self::Several(turns.into_iter().map(review).collect())
            }
            Turn::Done(end) => Self::Done(output::<G>(*end)?),
            Turn::InDoubt(turn) => Self::InDoubt(InDoubt { agent, turn }),
            Turn::Failed(turn) => Self::Failed(Failed { agent, turn }),
            Turn::Running(turn) => Self::Running(Running { agent, turn }),
        })
    }
}

/// Returns the output of an ended thread.
fn output<G: Graph>(end: EndTurn) -> Result<<G::State as State>::Output, Error> {
    let EndTurn { root, unwritten } = end;
    let thread = root.thread.clone();
    let output = G::State::output(snapshot::fields::<G>(root)?);
    let problem = || Incompatibility::NoWay { problem: "an output is not written".to_owned() };
    output.ok_or_else(|| incompatible(&thread, unwritten.unwrap_or_else(problem)))
}

impl<G: Graph> fmt::Debug for ThreadState<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Review(_) => "Review",
            Self::Several(_) => "Several",
            Self::Done(_) => "Done",
            Self::InDoubt(_) => "InDoubt",
            Self::Failed(_) => "Failed",
            Self::Running(_) => "Running",
        })
    }
}
