//! The status of a thread for its caller: the review, failure, doubt or result that it stands at.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Agent, AnyReview, Failed, Graph, GraphTable, InDoubt, Incompatibility, Running,
    agent::Engine,
    compatibility::gone,
    lenient_load::{incompatible, unreadable},
    route,
};
use crate::{
    Digest, Error, ThreadId, Violation,
    journal::{Activation, DigestError, Fold, FoldError, LaneId, LaneState, OpenReviewState, ROOT},
    review::DraftVtable,
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

/// Returns the status of a thread. If several apply, the most urgent one wins: doubt, then reviews, then running nodes,
/// then failures.
pub(super) fn state_of<G: Graph>(agent: &Agent<G>, fold: Fold) -> Result<ThreadState<G>, Error> {
    let thread = fold.thread.clone();
    if fold.ended {
        return done::<G>(fold).map(ThreadState::Done);
    }
    let doubt = effects_in_doubt(&agent.inner, &fold).next();
    if let Some(doubt) = doubt {
        return Ok(ThreadState::InDoubt(InDoubt { agent: agent.clone(), thread, doubt }));
    }
    if fold.open().next().is_some() {
        return reviews(agent, fold);
    }
    let mut all = fold.lanes.values().filter(|_| fold.runs());
    let active = all.find(|lane| lane.at.is_active()).and_then(|lane| lane.at.activation());
    if let Some(activation) = active {
        let node = activation.node.clone();
        let until_ms = fold.leased_until_ms();
        return Ok(ThreadState::Running(Running { agent: agent.clone(), thread, node, until_ms }));
    }
    let failed = failure(&fold)
        .map(|(activation, error, stopped)| (activation.node.clone(), error.to_owned(), stopped));
    match failed {
        Some((node, error, stopped)) => {
            Ok(ThreadState::Failed(Failed { agent: agent.clone(), thread, node, error, stopped }))
        }
        None => Err(Error::Damaged {
            thread,
            place: fold.next.saturating_sub(1),
            problem: "the thread has not ended, but no lane can continue".to_owned(),
        }),
    }
}

/// Returns the failed node, its error, and whether a person has stopped the thread. A stopped node comes first.
pub(super) fn failure(fold: &Fold) -> Option<(&Activation, &str, bool)> {
    let failed = fold.lanes.values().filter_map(|lane| match &lane.at {
        LaneState::Failed { activation, error, stopped, .. } => Some((activation, error.as_str(), *stopped)),
        _ => None,
    });
    failed.clone().find(|(.., stopped)| *stopped).or_else(|| failed.clone().next())
}

/// The error of an effect that is in doubt because its lease has run out. A runner that is suspended for longer than
/// its lease looks like a dead one, and continues with the effect when it wakes.
pub(super) const UNRENEWED: &str =
    "its runner has not renewed its lease and may still be running, so the outcome of the effect is unknown";

/// An effect in doubt, possibly not yet recorded as such in the journal.
pub(super) struct EffectInDoubt {
    pub(super) lane: LaneId,
    pub(super) activation: Activation,
    pub(super) key: String,
    /// The identifier of this doubt. The next attempt of the same effect, with the same key, has another one.
    pub(super) digest: Digest,
    pub(super) error: String,
    pub(super) since_ms: u64,
    /// `true` if the journal records the doubt.
    pub(super) written: bool,
}

/// Returns every effect of a thread that is in doubt.
pub(super) fn effects_in_doubt(engine: &Engine, fold: &Fold) -> impl Iterator<Item = EffectInDoubt> {
    let orphaned = !fold.is_leased(engine.clock.now_ms());
    let graph = engine.graph;
    // In a thread that a person has stopped, not even an idempotent effect begins again.
    let stopped = fold.stop().is_some();
    fold.lanes.iter().filter_map(move |(lane, stands)| {
        let (activation, key, place, error, since_ms, written) = match &stands.at {
            LaneState::InDoubt { activation, key, place, since_ms, error } => {
                (activation, key, place, error.clone(), *since_ms, true)
            }
            LaneState::Began { activation, key, place }
                if orphaned && (stopped || !route::is_idempotent(graph, &activation.node)) =>
            {
                let error = UNRENEWED.to_owned();
                (activation, key, place, error, fold.at_ms, false)
            }
            _ => return None,
        };
        // The key identifies the thread and the activation. With the place of the attempt it identifies the doubt.
        let digest = Digest::of(format!("doubt\0{key}\0{place}").as_bytes());
        Some(EffectInDoubt {
            lane: *lane,
            activation: activation.clone(),
            key: key.clone(),
            digest,
            error,
            since_ms,
            written,
        })
    })
}

fn done<G: Graph>(fold: Fold) -> Result<<G::State as State>::Output, Error> {
    let unwritten = unwritten_output(&fold);
    let (thread, fields) = fields::<G>(fold)?;
    G::State::output(fields).ok_or_else(|| incompatible(&thread, unwritten))
}

/// Returns the incompatibility for the first output that a thread has not written at its end.
fn unwritten_output(fold: &Fold) -> Incompatibility {
    let written = |field: &str| fold.root().is_some_and(|root| root.fields.is_written(field));
    let missing = fold.state.spec.fields.iter().find(|field| field.output && !written(field.name));
    let field = missing.map(|field| field.name.to_owned()).unwrap_or_default();
    Incompatibility::OutputUnwritten { field, version: (fold.version, fold.state.spec.version) }
}

/// Returns the fields of a thread; inside a fork, as they were before the fork.
pub(super) fn fields<G: Graph>(mut fold: Fold) -> Result<(ThreadId, <G::State as State>::Fields), Error> {
    let (thread, place) = (fold.thread, fold.next.saturating_sub(1));
    let Some(root) = fold.lanes.remove(ROOT) else {
        return Err(Error::Damaged { thread, place, problem: "the thread has no state".to_owned() });
    };
    let fields = G::State::fields(Arc::unwrap_or_clone(root.fields));
    let fields = fields.map_err(|e| unreadable(G::TABLE, &thread, place, FoldError::Changed(e)))?;
    Ok((thread, fields))
}

/// Returns the open reviews of a thread.
fn reviews<G: Graph>(agent: &Agent<G>, mut fold: Fold) -> Result<ThreadState<G>, Error> {
    let mut open = fold.open().map(|(lane, open)| locate_review(G::TABLE, &fold, lane, open));
    let (first, rest) = (open.next(), open.collect::<Result<Vec<_>, _>>()?);
    let Some(first) = first.transpose()? else { return Ok(ThreadState::Several(Vec::new())) };
    let mut drafted = |found: LocatedReview| {
        let draft = take_draft(&mut fold, found.lane, &found.open.field, found.reviewed)?;
        Ok((found, draft))
    };
    let first = drafted(first)?;
    let rest = rest.into_iter().map(drafted).collect::<Result<Vec<_>, Error>>()?;
    let fold = Arc::new(fold);
    let review = |(found, draft)| AnyReview { agent: agent.clone(), fold: Arc::clone(&fold), found, draft };
    if rest.is_empty() {
        return Ok(ThreadState::Review(AnyReview {
            agent: agent.clone(),
            fold,
            found: first.0,
            draft: first.1,
        }));
    }
    Ok(ThreadState::Several(std::iter::once(first).chain(rest).map(review).collect()))
}

/// Returns the draft as [`draft`] does, or without a second check if this runner has just checked it.
pub(crate) fn take_draft(
    fold: &mut Fold,
    lane: LaneId,
    field: &str,
    reviewed: DraftVtable,
) -> Result<Value, Error> {
    let drafted = fold.lanes.get_mut(lane).and_then(|lane| lane.drafted.take());
    match drafted.filter(|drafted| drafted.field == field) {
        Some(drafted) => Ok(drafted.draft),
        None => draft(fold, lane, field, reviewed),
    }
}

/// Returns the draft in a lane as its type serializes it, after a check of its invariants: a value from the store is
/// checked like a value that a node returned.
pub(crate) fn draft(fold: &Fold, lane: LaneId, field: &str, reviewed: DraftVtable) -> Result<Value, Error> {
    let invalid =
        |violations| Error::Invalid { thread: fold.thread.clone(), field: field.to_owned(), violations };
    let whole = |message: String| invalid(vec![Violation { path: String::new(), message }]);
    let json = match fold.lanes.get(&lane) {
        Some(lane) => lane.fields.read(field).map_err(|e| match e.as_user_code_error() {
            Some(broken) => broken.into_error(&fold.thread),
            None => whole(e.problem),
        })?,
        None => None,
    };
    let json = json.ok_or_else(|| whole("it is not written".to_owned()))?;
    (reviewed.check)(json).map_err(invalid)
}

/// Returns the error for a draft that has no canonical JSON.
pub(super) fn unsignable(thread: &ThreadId, field: &str, error: DigestError) -> Error {
    let violations = vec![Violation { path: error.path, message: error.problem }];
    Error::Invalid { thread: thread.clone(), field: field.to_owned(), violations }
}

/// An open review of a thread, with its node in this program.
pub(crate) struct LocatedReview {
    pub(crate) lane: LaneId,
    pub(crate) open: OpenReviewState,
    pub(crate) node: usize,
    pub(crate) reviewed: DraftVtable,
}

/// Finds the node of an open review in this program's graph.
pub(crate) fn locate_review(
    graph: &'static GraphTable,
    fold: &Fold,
    lane: LaneId,
    open: &OpenReviewState,
) -> Result<LocatedReview, Error> {
    let name = &open.activation.node;
    let Some((node, entry)) = route::node(graph, name) else {
        return Err(incompatible(&fold.thread, gone(graph, name)));
    };
    let Some(reviewed) = entry.reviewed else {
        return Err(incompatible(&fold.thread, Incompatibility::NoReview { node: name.clone() }));
    };
    Ok(LocatedReview { lane, open: open.clone(), node, reviewed })
}
