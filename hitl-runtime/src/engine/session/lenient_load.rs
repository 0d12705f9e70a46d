//! Lenient loading of threads that this program's types cannot hold, to report all incompatibilities at once and to
//! show the fields that can still be read.

use super::{
    compatibility::check_compatibility,
    unreadable::{unreadable, value_incompatibility},
};
use crate::{
    Error, Incompatibility, Place, ThreadId,
    journal::{Fold, Unmigrated},
    node::GraphTable,
    store::Tail,
};

/// Rebuilds a thread without checking its values against this program's types.
pub(in crate::engine) fn load_lenient(
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
pub(in crate::engine) fn incompatibilities(graph: &'static GraphTable, fold: &Fold) -> Vec<Incompatibility> {
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

/// Rebuilds a thread with this program's types. If they cannot hold a value, the error lists all incompatibilities.
pub(in crate::engine) fn load_strict(
    graph: &'static GraphTable,
    thread: &ThreadId,
    tail: &Tail,
) -> Result<Fold, Error> {
    let mut fold = Fold::after(graph.state, thread.clone(), tail.before);
    let mut read = || {
        for record in &tail.records {
            fold.read(record.place, record.hash, &record.body).map_err(|error| (record.place, error))?;
        }
        let last = tail.records.last().map_or(Place::START, |record| record.place);
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
