//! The turn of a thread with the graph's types, before `graph!` converts it into the graph's own enum.

use super::{Agent, AnyReview, Failed, Graph, InDoubt, Running, snapshot};
use crate::{
    Error,
    engine::{OpenReviews, Turn, incompatible, unwritten_output},
    journal::Fold,
    state::State,
};

/// The status of a thread, before `graph!` converts it into the graph's own turn type.
// One is created for each turn and taken apart at once: boxing would cost more than the copy.
#[allow(clippy::large_enum_variant)]
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
        Ok(match agent.engine.turn(fold)? {
            Turn::Reviews(open) => reviews(agent, open),
            Turn::Done(fold) => Self::Done(output::<G>(fold)?),
            Turn::InDoubt { thread, doubt } => Self::InDoubt(InDoubt { agent: agent.clone(), thread, doubt }),
            Turn::Failed { thread, node, error, stopped } => {
                Self::Failed(Failed { agent: agent.clone(), thread, node, error, stopped })
            }
            Turn::Running { thread, node, until_ms } => {
                Self::Running(Running { agent: agent.clone(), thread, node, until_ms })
            }
        })
    }
}

fn reviews<G: Graph>(agent: &Agent<G>, OpenReviews { fold, reviews }: OpenReviews) -> ThreadState<G> {
    let review = |(found, draft)| AnyReview { agent: agent.clone(), fold: fold.clone(), found, draft };
    let mut reviews: Vec<_> = reviews.into_iter().map(review).collect();
    // A review of which there are no others owns the thread, and its verdict need not read it again.
    drop(fold);
    match reviews.pop() {
        Some(only) if reviews.is_empty() => ThreadState::Review(only),
        last => ThreadState::Several(reviews.into_iter().chain(last).collect()),
    }
}

/// Returns the output of an ended thread.
fn output<G: Graph>(fold: Fold) -> Result<<G::State as State>::Output, Error> {
    let (thread, unwritten) = (fold.thread.clone(), unwritten_output(&fold));
    G::State::output(snapshot::fields::<G>(fold)?).ok_or_else(|| incompatible(&thread, unwritten))
}
