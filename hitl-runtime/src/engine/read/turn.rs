//! The turn of a thread: the review, failure, doubt or result that a caller must act on.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    Error, Incompatibility, Place, ThreadId, Timestamp,
    engine::{
        Engine,
        session::{
            EffectInDoubt, Failure, LocatedReview, draft_error, effects_in_doubt, failure, locate_review,
            take_draft,
        },
    },
    journal::{Fold, ROOT, Stop},
    state::{FieldError, Slots},
};

/// A turn without the graph's types.
pub(crate) enum Turn {
    /// One review is open. Its turn owns the thread, and its verdict need not read it again.
    Review(Box<ReviewTurn>),
    /// Several reviews are open.
    Several(Vec<ReviewTurn>),
    /// The thread has ended, with these values.
    Done(Box<EndTurn>),
    /// An effect is in doubt.
    InDoubt(Box<DoubtTurn>),
    /// A node failed, or a person has stopped the thread.
    Failed(Box<FailureTurn>),
    /// A runner holds the thread, or held it when it died.
    Running(Box<RunningTurn>),
}

/// An open review with its checked draft, in the thread that waits for it.
pub(crate) struct ReviewTurn {
    pub(crate) fold: Arc<Fold>,
    pub(crate) found: LocatedReview,
    pub(crate) draft: Value,
}

/// The end of a thread.
pub(crate) struct EndTurn {
    pub(crate) root: RootFields,
    /// The first output that is not written.
    pub(crate) unwritten: Option<Incompatibility>,
}

/// The values of a thread outside of its forks.
pub(crate) struct RootFields {
    pub(crate) thread: ThreadId,
    /// The place of the last entry.
    pub(crate) place: Place,
    pub(crate) fields: Slots,
}

impl RootFields {
    /// Takes the values out of a thread.
    ///
    /// # Errors
    /// If the thread has none.
    pub(crate) fn new(mut fold: Fold) -> Result<Self, Error> {
        let (root, thread, place) = (fold.lanes.remove(ROOT), fold.thread, fold.next.saturating_sub(1));
        match root {
            Some(root) => Ok(Self { thread, place, fields: Arc::unwrap_or_clone(root.fields) }),
            None => Err(Error::Damaged { thread, place, problem: "the thread has no state".to_owned() }),
        }
    }
}

/// An effect in doubt, with its thread.
pub(crate) struct DoubtTurn {
    pub(crate) thread: ThreadId,
    pub(crate) doubt: EffectInDoubt,
}

/// A failed node, or the node at which a person has stopped the thread.
pub(crate) struct FailureTurn {
    pub(crate) thread: ThreadId,
    pub(crate) node: String,
    pub(crate) error: String,
    pub(crate) stopped: bool,
}

/// A node that runs or runs next, the end of the runner's lease, and what it waits for.
pub(crate) struct RunningTurn {
    pub(crate) thread: ThreadId,
    pub(crate) node: String,
    pub(crate) until: Option<Timestamp>,
    /// The stop because of which it does not run.
    pub(crate) stop: Option<Stop>,
}

impl ReviewTurn {
    /// Returns the error for a draft that is not of the type that its review has in this program.
    pub(crate) fn draft_error(&self, error: FieldError) -> Error {
        draft_error(&self.fold, error)
    }
}

impl Engine {
    /// Returns the turn of a thread. If several apply, the most urgent one wins: doubt, then reviews, then running
    /// nodes, then failures.
    pub(crate) fn turn(&self, fold: Fold) -> Result<Turn, Error> {
        if fold.ended {
            let unwritten = unwritten_output(&fold);
            return Ok(Turn::Done(Box::new(EndTurn { root: RootFields::new(fold)?, unwritten })));
        }
        let thread = fold.thread.clone();
        if let Some(doubt) = effects_in_doubt(self, &fold).next() {
            return Ok(Turn::InDoubt(Box::new(DoubtTurn { thread, doubt })));
        }
        if fold.open().next().is_some() {
            return self.open_reviews(fold);
        }
        let mut all = fold.lanes.values().filter(|_| fold.runs());
        let active = all.find(|lane| lane.at.is_active()).and_then(|lane| lane.at.activation());
        if let Some(activation) = active {
            let (node, until) = (activation.node.clone(), fold.leased_until());
            let stop = fold.stop.as_deref().cloned().or_else(|| self.stops.known(self.graph.spec.name));
            let stop = stop.filter(|_| !fold.is_leased(self.clock.now()));
            return Ok(Turn::Running(Box::new(RunningTurn { thread, node, until, stop })));
        }
        if fold.is_at_end() {
            // The next runner records the end.
            let (node, until) = ("end".to_owned(), fold.leased_until());
            return Ok(Turn::Running(Box::new(RunningTurn { thread, node, until, stop: None })));
        }
        if let Some(stop) = fold.stop.as_ref().filter(|_| !fold.is_closed())
            && let Some(activation) =
                fold.lanes.values().find(|lane| lane.at.is_active()).and_then(|lane| lane.at.activation())
        {
            let (node, stop) = (activation.node.clone(), Some(Stop::clone(stop)));
            return Ok(Turn::Running(Box::new(RunningTurn { thread, node, until: None, stop })));
        }
        match failure(&fold) {
            Some(Failure { node, error, stopped }) => {
                Ok(Turn::Failed(Box::new(FailureTurn { thread, node, error, stopped })))
            }
            None => Err(Error::Damaged {
                thread,
                place: fold.next.saturating_sub(1),
                problem: "the thread has not ended, but no lane can continue".to_owned(),
            }),
        }
    }

    fn open_reviews(&self, mut fold: Fold) -> Result<Turn, Error> {
        let open = fold.open().map(|(lane, open)| locate_review(self.graph, &fold, lane, open));
        let open = open.collect::<Result<Vec<_>, _>>()?;
        let mut drafts = Vec::with_capacity(open.len());
        for found in &open {
            drafts.push(take_draft(&mut fold, found.lane, &found.open.field, found.reviewed)?);
        }
        let fold = Arc::new(fold);
        let turn = |(found, draft)| ReviewTurn { fold: Arc::clone(&fold), found, draft };
        let mut turns: Vec<_> = open.into_iter().zip(drafts).map(turn).collect();
        drop(fold);
        Ok(match turns.pop() {
            Some(only) if turns.is_empty() => Turn::Review(Box::new(only)),
            last => Turn::Several(turns.into_iter().chain(last).collect()),
        })
    }
}

/// Returns the incompatibility for the first output that a thread has not written.
fn unwritten_output(fold: &Fold) -> Option<Incompatibility> {
    let written = |field: &str| fold.root().is_some_and(|root| root.fields.is_written(field));
    let missing = fold.state.spec.fields.iter().find(|field| field.output && !written(field.name));
    let field = missing?.name.to_owned();
    Some(Incompatibility::OutputUnwritten { field, version: (fold.version, fold.state.spec.version) })
}
