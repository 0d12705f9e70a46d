//! Open reviews of a thread, with this program's node and the draft.

use serde_json::Value;

use super::{compatibility::gone, unreadable::incompatible};
use crate::{
    Error, Incompatibility, ThreadId, Violation,
    journal::{DigestError, Fold, LaneId, OpenReviewState},
    node::GraphTable,
    review::DraftVtable,
    state::FieldError,
};

/// An open review of a thread, with its node in this program.
pub(crate) struct LocatedReview {
    pub(crate) lane: LaneId,
    pub(crate) open: OpenReviewState,
    pub(crate) node: usize,
    pub(crate) reviewed: DraftVtable,
}

/// Finds the node of an open review in this program's graph.
pub(in crate::engine) fn locate_review(
    graph: &'static GraphTable,
    fold: &Fold,
    lane: LaneId,
    open: &OpenReviewState,
) -> Result<LocatedReview, Error> {
    let name = &open.activation.node;
    let Some((node, entry)) = graph.node(name) else {
        return Err(incompatible(&fold.thread, gone(graph, name)));
    };
    let Some(reviewed) = entry.reviewed else {
        return Err(incompatible(&fold.thread, Incompatibility::NoReview { node: name.clone() }));
    };
    Ok(LocatedReview { lane, open: open.clone(), node, reviewed })
}

/// Returns the draft in a lane as its type serializes it, after a check of its invariants: a value from the store is
/// checked like a value that a node returned.
pub(in crate::engine) fn checked_draft(
    fold: &Fold,
    lane: LaneId,
    field: &str,
    reviewed: DraftVtable,
) -> Result<Value, Error> {
    let json = fold.lanes.get(&lane).map_or(Ok(None), |lane| lane.fields.read(field));
    let json = json.and_then(|json| json.ok_or_else(|| FieldError::unwritten(field)));
    let json = json.map_err(|error| draft_error(fold, error))?;
    (reviewed.check)(json).map_err(|violations| invalid(fold, field, violations))
}

/// Converts an error of the field of a draft.
pub(in crate::engine) fn draft_error(fold: &Fold, error: FieldError) -> Error {
    match error.as_user_code_error() {
        Some(broken) => broken.into_error(&fold.thread),
        None => {
            let violation = Violation { path: error.path, message: error.problem };
            invalid(fold, &error.field, vec![violation])
        }
    }
}

fn invalid(fold: &Fold, field: &str, violations: Vec<Violation>) -> Error {
    Error::Invalid { thread: fold.thread.clone(), field: field.to_owned(), violations }
}

/// Returns the draft as [`checked_draft`] does, or without a second check if this runner has just checked it.
pub(in crate::engine) fn take_draft(
    fold: &mut Fold,
    lane: LaneId,
    field: &str,
    reviewed: DraftVtable,
) -> Result<Value, Error> {
    let drafted = fold.lanes.get_mut(lane).and_then(|lane| lane.drafted.take());
    match drafted.filter(|drafted| drafted.field == field) {
        Some(drafted) => Ok(drafted.draft),
        None => checked_draft(fold, lane, field, reviewed),
    }
}

/// Returns the error for a draft that has no canonical JSON.
pub(in crate::engine) fn unsignable(thread: &ThreadId, field: &str, error: DigestError) -> Error {
    let violations = vec![Violation { path: error.path, message: error.problem }];
    Error::Invalid { thread: thread.clone(), field: field.to_owned(), violations }
}
