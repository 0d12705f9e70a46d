//! Whose turn it is.

use serde_json::Value;

use super::{Agent, AnyReview, Failed, Graph, InDoubt, Running, agent::GraphFold, route};
use crate::{
    Digest, Error, ThreadId, Violation,
    journal::{At, LaneId, OpenAt, ROOT, Visit},
    review::Reviewed,
    state::{Fields, State},
};

/// How a thread stands, before `graph!` has given it the graph's own type.
// One is made for each turn and taken apart at once: a box would cost more than the copy.
#[allow(clippy::large_enum_variant)]
pub enum Outlook<G: Graph> {
    /// One review is open.
    Review(AnyReview<G>),
    /// Several reviews are open.
    Several(Vec<AnyReview<G>>),
    /// The thread has come to its end.
    Done(<G::State as State>::Output),
    /// Nobody saw how an effect ended.
    InDoubt(InDoubt<G>),
    /// A node failed.
    Failed(Failed<G>),
    /// A runner has the thread.
    Running(Running<G>),
}

/// What is most urgent comes first: doubt, then people, then failures, then runners.
pub(super) fn outlook<G: Graph>(agent: &Agent<G>, mut fold: GraphFold<G>) -> Result<Outlook<G>, Error> {
    let thread = fold.thread.clone();
    if fold.ended {
        return done::<G>(fold).map(Outlook::Done);
    }
    let doubt = doubts(agent, &fold).next();
    if let Some(doubt) = doubt {
        return Ok(Outlook::InDoubt(InDoubt { agent: agent.clone(), thread, doubt }));
    }
    let mut reviews = Vec::new();
    for (lane, open) in fold.open() {
        let found = found::<G>(&fold, lane, open)?;
        let draft = draft::<G>(&fold, lane, &open.field, found.reviewed)?;
        reviews.push(AnyReview { agent: agent.clone(), thread: thread.clone(), found, draft });
    }
    if reviews.len() > 1 {
        return Ok(Outlook::Several(reviews));
    }
    if let Some(review) = reviews.pop() {
        return Ok(Outlook::Review(review));
    }
    let active = fold.lanes.values().find(|lane| lane.at.is_active()).and_then(|lane| lane.at.visit());
    if let Some(visit) = active {
        let node = visit.node.clone();
        let until_ms = fold.lease.take().map(|lease| lease.until_ms);
        return Ok(Outlook::Running(Running { agent: agent.clone(), thread, node, until_ms }));
    }
    let failed = fold.lanes.into_values().find_map(|lane| match lane.at {
        At::Failed { visit, error, stopped, .. } => Some((visit.node, error, stopped)),
        _ => None,
    });
    match failed {
        Some((node, error, stopped)) => {
            Ok(Outlook::Failed(Failed { agent: agent.clone(), thread, node, error, stopped }))
        }
        None => Err(Error::Damaged {
            thread,
            place: fold.next.saturating_sub(1),
            problem: "it stands nowhere".to_owned(),
        }),
    }
}

/// An effect that is in doubt, whether or not an entry says so yet.
pub(super) struct Doubt {
    pub(super) lane: LaneId,
    pub(super) visit: Visit,
    pub(super) key: String,
    /// Names this doubt: the next try of the same effect, with the same key, is another one.
    pub(super) digest: Digest,
    pub(super) error: String,
    pub(super) since_ms: u64,
    /// Whether the journal says so.
    pub(super) written: bool,
}

/// Every effect of a thread that is in doubt.
pub(super) fn doubts<G: Graph>(agent: &Agent<G>, fold: &GraphFold<G>) -> impl Iterator<Item = Doubt> {
    let orphaned = !fold.is_leased(agent.inner.clock.now_ms());
    fold.lanes.iter().filter_map(move |(lane, stands)| {
        let (visit, key, place, error, since_ms, written) = match &stands.at {
            At::InDoubt { visit, key, place, since_ms, error } => {
                (visit, key, place, error.clone(), *since_ms, true)
            }
            At::Began { visit, key, place } if orphaned && !route::is_idempotent::<G>(&visit.node) => {
                let error = "the process that ran it is gone, and nobody saw how it ended".to_owned();
                (visit, key, place, error, fold.at_ms, false)
            }
            _ => return None,
        };
        // The key is one thread's, one visit's: with the place of the try, it names the doubt.
        let digest = Digest::of(format!("doubt\0{key}\0{place}").as_bytes());
        Some(Doubt { lane: *lane, visit: visit.clone(), key: key.clone(), digest, error, since_ms, written })
    })
}

fn done<G: Graph>(mut fold: GraphFold<G>) -> Result<<G::State as State>::Output, Error> {
    let changed =
        |thread: &ThreadId, problem: String| Error::GraphChanged { thread: thread.clone(), problem };
    let thread = fold.thread.clone();
    let root = fold.lanes.remove(&ROOT).ok_or_else(|| changed(&thread, "it has no state".to_owned()))?;
    let fields = match std::sync::Arc::try_unwrap(root.fields) {
        Ok(fields) => fields,
        Err(shared) => {
            crate::journal::copy(&G::State::SPEC, &*shared).map_err(|e| changed(&thread, e.to_string()))?
        }
    };
    G::State::output(fields)
        .ok_or_else(|| changed(&thread, "it has ended, and an output of this graph is unwritten".to_owned()))
}

/// The draft in a lane as its type writes it, held against its invariants: whatever a store gives back is checked
/// like what a node returned.
pub(crate) fn draft<G: Graph>(
    fold: &GraphFold<G>,
    lane: LaneId,
    field: &str,
    reviewed: Reviewed,
) -> Result<Value, Error> {
    let invalid =
        |violations| Error::Invalid { thread: fold.thread.clone(), field: field.to_owned(), violations };
    let whole = |message: String| invalid(vec![Violation { path: String::new(), message }]);
    let json = match fold.lanes.get(&lane) {
        Some(lane) => lane.fields.read(field).map_err(|e| whole(e.problem))?,
        None => None,
    };
    let json = json.ok_or_else(|| whole("nothing has written it".to_owned()))?;
    (reviewed.check)(&json).map_err(invalid)
}

/// A review, found in a thread.
pub(crate) struct Found {
    pub(crate) lane: LaneId,
    pub(crate) open: OpenAt,
    pub(crate) node: usize,
    pub(crate) reviewed: Reviewed,
}

/// The node that a review stands before, in this program.
pub(crate) fn found<G: Graph>(fold: &GraphFold<G>, lane: LaneId, open: &OpenAt) -> Result<Found, Error> {
    let changed = |problem| Error::GraphChanged { thread: fold.thread.clone(), problem };
    let Some((node, entry)) = route::node::<G>(&open.visit.node) else {
        return Err(changed(format!("`{}` has no node `{}`", G::SPEC.name, open.visit.node)));
    };
    let Some(reviewed) = entry.reviewed else {
        return Err(changed(format!("nothing stops before `{}` any more", open.visit.node)));
    };
    Ok(Found { lane, open: open.clone(), node, reviewed })
}
