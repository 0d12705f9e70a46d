//! Lenient loading of threads that this program's types cannot hold, to report all incompatibilities at once and to
//! show the fields that can still be read.

use super::{Difference, Graph, fit::fit};
use crate::{
    Error, Place, ThreadId,
    guard::Broken,
    journal::{Fold, FoldError, Unmigrated},
    prose,
    state::{FieldError, State},
    store::Tail,
};

/// A thread whose values need not match the types of this program's state.
/// Rebuilds a thread without checking its values against this program's types.
pub(super) fn loose<G: Graph>(thread: &ThreadId, tail: &Tail) -> Result<Fold, Error> {
    let mut fold = Fold::lenient_after(G::State::TABLE, thread.clone(), tail.before);
    for record in &tail.records {
        fold.read(record.place, record.hash, &record.body)
            .map_err(|e| unreadable::<G>(thread, record.place, e))?;
    }
    Ok(fold)
}

/// Returns every incompatibility between a thread and this program.
pub(super) fn differences<G: Graph>(fold: &Fold) -> Vec<Difference> {
    let mut found = fit::<G>(fold).differences;
    let stranger =
        |d: &Difference| matches!(d, Difference::OtherGraph { .. } | Difference::FromTheFuture { .. });
    if found.iter().any(stranger) {
        return found;
    }
    if let Some(Unmigrated { from, problem }) = fold.unmigrated() {
        let (from, problem, state) = (*from, problem.clone(), G::State::SPEC.name.to_owned());
        // The values that the failed migration did not convert would only be reported a second time.
        return vec![Difference::Unmigrated { state, from, problem }];
    }
    let mut wrong = Vec::new();
    for error in fold.lanes.values().flat_map(|lane| lane.fields.errors()) {
        let difference = misfit::<G>(fold.version, &error);
        if !wrong.contains(&difference) {
            wrong.push(difference);
        }
    }
    let is_wrong = |field: &str| wrong.iter().any(|difference| difference.field() == Some(field));
    found.retain(|d| !matches!(d, Difference::InvariantTightened { field, .. } if is_wrong(field)));
    wrong.extend(found);
    wrong
}

/// Returns the incompatibility for a value that its field cannot hold.
pub(super) fn misfit<G: Graph>(version: u32, error: &FieldError) -> Difference {
    let (state, field) = (G::State::SPEC, error.field.clone());
    let version = (version, state.version);
    if let Some(Broken { place, problem }) = error.as_broken() {
        return Difference::Broken { field, place, problem };
    }
    if state.field(&field).is_some() {
        return Difference::TypeChanged {
            field,
            path: error.path.clone(),
            problem: error.problem.clone(),
            version,
        };
    }
    let near = prose::nearest(&field, state.fields.iter().map(|field| field.name)).map(str::to_owned);
    Difference::FieldGone { field, state: state.name.to_owned(), near, version }
}

/// Rebuilds a thread with this program's types. If they cannot hold a value, the error lists all incompatibilities.
pub(super) fn strict<G: Graph>(thread: &ThreadId, tail: &Tail) -> Result<Fold, Error> {
    let mut fold = Fold::after(G::State::TABLE, thread.clone(), tail.before);
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
            if let Some(broken) = error.as_broken() {
                return Err(broken.of(thread));
            }
            let loose = loose::<G>(thread, tail)?;
            match differences::<G>(&loose) {
                found if found.is_empty() => Err(unreadable::<G>(thread, place, error)),
                differences => Err(Error::GraphChanged { thread: thread.clone(), differences }),
            }
        }
    }
}

/// Returns the error for an entry that cannot be read.
pub(crate) fn unreadable<G: Graph>(thread: &ThreadId, place: Place, error: FoldError) -> Error {
    if let Some(broken) = error.as_broken() {
        return broken.of(thread);
    }
    let state = G::State::SPEC;
    let difference = match error {
        FoldError::Damaged(problem) => return Error::Damaged { thread: thread.clone(), place, problem },
        FoldError::Changed(error) => misfit::<G>(state.version, &error),
        FoldError::Unmigrated(Unmigrated { from, problem }) => {
            Difference::Unmigrated { state: state.name.to_owned(), from, problem }
        }
    };
    changed(thread, difference)
}

/// Returns the error for a thread with a single incompatibility.
pub(crate) fn changed(thread: &ThreadId, difference: Difference) -> Error {
    Error::GraphChanged { thread: thread.clone(), differences: vec![difference] }
}
