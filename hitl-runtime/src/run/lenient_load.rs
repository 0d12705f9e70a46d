//! Lenient loading of threads that this program's types cannot hold, to report all incompatibilities at once and to
//! show the fields that can still be read.

use super::{GraphTable, Incompatibility, compatibility::check_compatibility};
use crate::{
    Error, Place, ThreadId,
    journal::{Fold, FoldError, Unmigrated},
    state::FieldError,
    store::Tail,
    text,
    user_code::UserCodeError,
};

/// Rebuilds a thread without checking its values against this program's types.
pub(super) fn load_lenient(
    graph: &'static GraphTable,
    thread: &ThreadId,
    tail: &Tail,
) -> Result<Fold, Error> {
    let mut fold = Fold::lenient_after(graph.state, thread.clone(), tail.before);
    for record in &tail.records {
        fold.read(record.place, record.hash, &record.body)
            .map_err(|e| unreadable(graph, thread, record.place, e))?;
    }
    Ok(fold)
}

/// Returns every incompatibility between a thread and this program.
pub(super) fn incompatibilities(graph: &'static GraphTable, fold: &Fold) -> Vec<Incompatibility> {
    let mut found = check_compatibility(graph, fold).differences;
    let stranger = |d: &Incompatibility| {
        matches!(d, Incompatibility::OtherGraph { .. } | Incompatibility::FromTheFuture { .. })
    };
    if found.iter().any(stranger) {
        return found;
    }
    if let Some(Unmigrated { from, problem }) = fold.unmigrated() {
        let (from, problem, state) = (*from, problem.clone(), graph.state.spec.name.to_owned());
        // The values that the failed migration did not convert would only be reported a second time.
        return vec![Incompatibility::Unmigrated { state, from, problem }];
    }
    let mut wrong = Vec::new();
    for error in fold.lanes.values().flat_map(|lane| lane.fields.errors()) {
        let difference = value_incompatibility(graph, fold.version, &error);
        if !wrong.contains(&difference) {
            wrong.push(difference);
        }
    }
    let is_wrong = |field: &str| wrong.iter().any(|difference| difference.field() == Some(field));
    found.retain(|d| !matches!(d, Incompatibility::InvariantTightened { field, .. } if is_wrong(field)));
    wrong.extend(found);
    wrong
}

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

/// Rebuilds a thread with this program's types. If they cannot hold a value, the error lists all incompatibilities.
pub(super) fn load_strict(graph: &'static GraphTable, thread: &ThreadId, tail: &Tail) -> Result<Fold, Error> {
    let mut fold = Fold::after(graph.state, thread.clone(), tail.before);
    let mut read = || {
        for record in &tail.records {
            fold.read(record.place, record.hash, &record.body).map_err(|error| (record.place, error))?;
        }
        let last = tail.records.last().map_or(0, |record| record.place);
        fold.decode_all().map_err(|error| (last, error.into()))
    };
    match read() {
        Ok(()) => Ok(fold),
        Err((place, error)) => {
            if let Some(broken) = error.as_user_code_error() {
                return Err(broken.into_error(thread));
            }
            let lenient = load_lenient(graph, thread, tail)?;
            match incompatibilities(graph, &lenient) {
                found if found.is_empty() => Err(unreadable(graph, thread, place, error)),
                differences => Err(Error::GraphChanged { thread: thread.clone(), differences }),
            }
        }
    }
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
