//! Errors for threads that this program's types cannot hold.

use crate::{
    Error, Incompatibility, Place, ThreadId,
    journal::{FoldError, Unmigrated},
    node::GraphTable,
    state::FieldError,
    text,
    user_code::UserCodeError,
};

/// Returns the incompatibility for a value that its field cannot hold.
pub(super) fn value_incompatibility(
    graph: &'static GraphTable,
    version: u32,
    error: &FieldError,
) -> Incompatibility {
    let (state, field) = (graph.state.spec, error.field.clone());
    let version = (version, state.version);
    if let Some(UserCodeError { place, problem }) = error.as_user_code_error() {
        return Incompatibility::Broken { field, place, problem };
    }
    if state.field(&field).is_some() {
        return Incompatibility::TypeChanged {
            field,
            path: error.path.clone(),
            problem: error.problem.clone(),
            version,
        };
    }
    let near = text::nearest(&field, state.fields.iter().map(|field| field.name)).map(str::to_owned);
    Incompatibility::FieldGone { field, state: state.name.to_owned(), near, version }
}

/// Returns the error for an entry that cannot be read.
pub(crate) fn unreadable(
    graph: &'static GraphTable,
    thread: &ThreadId,
    place: Place,
    error: FoldError,
) -> Error {
    if let Some(broken) = error.as_user_code_error() {
        return broken.into_error(thread);
    }
    let state = graph.state.spec;
    let difference = match error {
        FoldError::Damaged(problem) => return Error::Damaged { thread: thread.clone(), place, problem },
        FoldError::Changed(error) => value_incompatibility(graph, state.version, &error),
        FoldError::Unmigrated(Unmigrated { from, problem }) => {
            Incompatibility::Unmigrated { state: state.name.to_owned(), from, problem }
        }
    };
    incompatible(thread, difference)
}

/// Returns the error for a thread with a single incompatibility.
pub(crate) fn incompatible(thread: &ThreadId, difference: Incompatibility) -> Error {
    Error::GraphChanged { thread: thread.clone(), differences: vec![difference] }
}
