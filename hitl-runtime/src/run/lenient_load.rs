//! Lenient loading of threads that this program's types cannot hold, to report all incompatibilities at once and to
//! show the fields that can still be read.

use super::{Graph, Incompatibility, compatibility::check_compatibility, graph::GraphFold};
use crate::{
    Error, Place, ThreadId,
    journal::{Fold, FoldError, Lenient},
    state::{FieldError, State},
    store::Tail,
    text,
    user_code::UserCodeError,
};

/// A thread whose values need not match the types of this program's state.
pub(super) type LenientFold<G> = Fold<Lenient<<G as Graph>::State>>;

/// Rebuilds a thread without checking its values against this program's types.
pub(super) fn load_lenient<G: Graph>(thread: &ThreadId, tail: &Tail) -> Result<LenientFold<G>, Error> {
    let mut fold = Fold::after(thread.clone(), tail.before);
    for record in &tail.records {
        fold.read(record.place, record.hash, &record.body)
            .map_err(|e| unreadable::<G>(thread, record.place, e))?;
    }
    Ok(fold)
}

/// Returns every incompatibility between a thread and this program.
pub(super) fn incompatibilities<G: Graph>(fold: &LenientFold<G>) -> Vec<Incompatibility> {
    let mut found = check_compatibility::<G, Lenient<G::State>>(fold).differences;
    let stranger = |d: &Incompatibility| {
        matches!(d, Incompatibility::OtherGraph { .. } | Incompatibility::FromTheFuture { .. })
    };
    if found.iter().any(stranger) {
        return found;
    }
    let mut wrong = Vec::new();
    for lane in fold.lanes.values() {
        if let Some(failed) = &lane.fields.unmigrated {
            let (from, problem) = (failed.from, failed.problem.clone());
            let state = G::State::SPEC.name.to_owned();
            // The values that the failed migration did not convert would only be reported a second time.
            return vec![Incompatibility::Unmigrated { state, from, problem }];
        }
        for error in lane.fields.wrong.values() {
            let difference = value_incompatibility::<G>(fold.version, error);
            if !wrong.contains(&difference) {
                wrong.push(difference);
            }
        }
    }
    let is_wrong = |field: &str| wrong.iter().any(|difference| difference.field() == Some(field));
    found.retain(|d| !matches!(d, Incompatibility::InvariantTightened { field, .. } if is_wrong(field)));
    wrong.extend(found);
    wrong
}

/// Returns the incompatibility for a value that its field cannot hold.
pub(super) fn value_incompatibility<G: Graph>(version: u32, error: &FieldError) -> Incompatibility {
    let (state, field) = (G::State::SPEC, error.field.clone());
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
pub(super) fn load_strict<G: Graph>(thread: &ThreadId, tail: &Tail) -> Result<GraphFold<G>, Error> {
    let mut fold = Fold::after(thread.clone(), tail.before);
    for record in &tail.records {
        if let Err(error) = fold.read(record.place, record.hash, &record.body) {
            if let Some(broken) = error.as_user_code_error() {
                return Err(broken.into_error(thread));
            }
            let loose = load_lenient::<G>(thread, tail)?;
            return match incompatibilities::<G>(&loose) {
                found if found.is_empty() => Err(unreadable::<G>(thread, record.place, error)),
                differences => Err(Error::GraphChanged { thread: thread.clone(), differences }),
            };
        }
    }
    Ok(fold)
}

/// Returns the error for an entry that cannot be read.
pub(crate) fn unreadable<G: Graph>(thread: &ThreadId, place: Place, error: FoldError) -> Error {
    if let Some(broken) = error.as_user_code_error() {
        return broken.into_error(thread);
    }
    let state = G::State::SPEC;
    let difference = match error {
        FoldError::Damaged(problem) => return Error::Damaged { thread: thread.clone(), place, problem },
        FoldError::Changed(error) => value_incompatibility::<G>(state.version, &error),
        FoldError::Unmigrated { from, problem } => {
            Incompatibility::Unmigrated { state: state.name.to_owned(), from, problem }
        }
    };
    incompatible(thread, difference)
}

/// Returns the error for a thread with a single incompatibility.
pub(crate) fn incompatible(thread: &ThreadId, difference: Incompatibility) -> Error {
    Error::GraphChanged { thread: thread.clone(), differences: vec![difference] }
}
