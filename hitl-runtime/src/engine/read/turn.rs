//! The turn of a thread: the review, failure, doubt or result that a caller must act on.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    Error, ThreadId,
    engine::{
        Engine, Incompatibility,
        session::{EffectInDoubt, LocatedReview, effects_in_doubt, failure, locate_review, take_draft},
    },
    journal::Fold,
};

/// A turn without the graph's types.
// One is created for each turn and taken apart at once: boxing would cost more than the copy.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Turn {
    /// One or several reviews are open.
    Reviews(OpenReviews),
    /// The thread has ended.
    Done(Fold),
    /// An effect is in doubt.
    InDoubt { thread: ThreadId, doubt: EffectInDoubt },
    /// A node failed, or a person has stopped the thread.
    Failed { thread: ThreadId, node: String, error: String, stopped: bool },
    /// A runner holds the thread until a time, or held it when it died.
    Running { thread: ThreadId, node: String, until_ms: Option<u64> },
}

/// The open reviews of a thread, each with its checked draft.
pub(crate) struct OpenReviews {
    pub(crate) fold: Arc<Fold>,
    pub(crate) reviews: Vec<(LocatedReview, Value)>,
}

impl Engine {
    /// Returns the turn of a thread. If several apply, the most urgent one wins: doubt, then reviews, then running
    /// nodes, then failures.
    pub(crate) fn turn(&self, fold: Fold) -> Result<Turn, Error> {
        if fold.ended {
            return Ok(Turn::Done(fold));
        }
        let thread = fold.thread.clone();
        if let Some(doubt) = effects_in_doubt(self, &fold).next() {
            return Ok(Turn::InDoubt { thread, doubt });
        }
        if fold.open().next().is_some() {
            return self.open_reviews(fold).map(Turn::Reviews);
        }
        let mut all = fold.lanes.values().filter(|_| fold.runs());
        let active = all.find(|lane| lane.at.is_active()).and_then(|lane| lane.at.activation());
        if let Some(activation) = active {
            let (node, until_ms) = (activation.node.clone(), fold.leased_until_ms());
            return Ok(Turn::Running { thread, node, until_ms });
        }
        if fold.is_at_end() {
            // The next runner records the end.
            return Ok(Turn::Running { thread, node: "end".to_owned(), until_ms: fold.leased_until_ms() });
        }
        match failure(&fold) {
            Some((activation, error, stopped)) => {
                let (node, error) = (activation.node.clone(), error.to_owned());
                Ok(Turn::Failed { thread, node, error, stopped })
            }
            None => Err(Error::Damaged {
                thread,
                place: fold.next.saturating_sub(1),
                problem: "the thread has not ended, but no lane can continue".to_owned(),
            }),
        }
    }

    fn open_reviews(&self, mut fold: Fold) -> Result<OpenReviews, Error> {
        let open = fold.open().map(|(lane, open)| locate_review(self.graph, &fold, lane, open));
        let open = open.collect::<Result<Vec<_>, _>>()?;
        let mut reviews = Vec::with_capacity(open.len());
        for found in open {
            let draft = take_draft(&mut fold, found.lane, &found.open.field, found.reviewed)?;
            reviews.push((found, draft));
        }
        Ok(OpenReviews { fold: Arc::new(fold), reviews })
    }
}

/// Returns the incompatibility for the first output that a thread has not written at its end.
pub(crate) fn unwritten_output(fold: &Fold) -> Incompatibility {
    let written = |field: &str| fold.root().is_some_and(|root| root.fields.is_written(field));
    let missing = fold.state.spec.fields.iter().find(|field| field.output && !written(field.name));
    let field = missing.map(|field| field.name.to_owned()).unwrap_or_default();
    Incompatibility::OutputUnwritten { field, version: (fold.version, fold.state.spec.version) }
}
