//! A thread that this program's types cannot hold, read all the same, so that everything that is wrong with it can be
//! said at once and what it knows can be shown.

use super::{Difference, Graph, fit::fit, graph::GraphFold};
use crate::{
    Error, Place, ThreadId,
    guard::Broken,
    journal::{Fold, FoldError, Loose},
    prose,
    state::{FieldError, State},
    store::Tail,
};

/// A thread whose values need not fit.
pub(super) type LooseFold<G> = Fold<Loose<<G as Graph>::State>>;

/// Reads a thread whatever its values are.
pub(super) fn loose<G: Graph>(thread: &ThreadId, tail: &Tail) -> Result<LooseFold<G>, Error> {
    let mut fold = Fold::after(thread.clone(), tail.before);
    for record in &tail.records {
        fold.read(record.place, record.hash, &record.body)
            .map_err(|e| unreadable::<G>(thread, record.place, e))?;
    }
    Ok(fold)
}

/// Everything that keeps a thread from going on in this program.
pub(super) fn differences<G: Graph>(fold: &LooseFold<G>) -> Vec<Difference> {
    let mut found = fit::<G, Loose<G::State>>(fold).differences;
    let stranger =
        |d: &Difference| matches!(d, Difference::OtherGraph { .. } | Difference::FromTheFuture { .. });
    if found.iter().any(stranger) {
        return found;
    }
    let mut wrong = Vec::new();
    for lane in fold.lanes.values() {
        if let Some(failed) = &lane.fields.unmigrated {
            let (from, problem) = (failed.from, failed.problem.clone());
            let state = G::State::SPEC.name.to_owned();
            // What it leaves undone would only be said a second time.
            return vec![Difference::Unmigrated { state, from, problem }];
        }
        for error in lane.fields.wrong.values() {
            let difference = misfit::<G>(fold.version, error);
            if !wrong.contains(&difference) {
                wrong.push(difference);
            }
        }
    }
    let is_wrong = |field: &str| wrong.iter().any(|difference| difference.field() == Some(field));
    found.retain(|d| !matches!(d, Difference::InvariantTightened { field, .. } if is_wrong(field)));
    wrong.extend(found);
    wrong
}

/// A value that does not fit.
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

/// A thread whose values this program's types hold; the differences, if they do not.
pub(super) fn strict<G: Graph>(thread: &ThreadId, tail: &Tail) -> Result<GraphFold<G>, Error> {
    let mut fold = Fold::after(thread.clone(), tail.before);
    for record in &tail.records {
        if let Err(error) = fold.read(record.place, record.hash, &record.body) {
            if let Some(broken) = error.as_broken() {
                return Err(broken.of(thread));
            }
            let loose = loose::<G>(thread, tail)?;
            return match differences::<G>(&loose) {
                found if found.is_empty() => Err(unreadable::<G>(thread, record.place, error)),
                differences => Err(Error::GraphChanged { thread: thread.clone(), differences }),
            };
        }
    }
    Ok(fold)
}

/// An entry that cannot be read.
pub(crate) fn unreadable<G: Graph>(thread: &ThreadId, place: Place, error: FoldError) -> Error {
    if let Some(broken) = error.as_broken() {
        return broken.of(thread);
    }
    let state = G::State::SPEC;
    let difference = match error {
        FoldError::Damaged(problem) => return Error::Damaged { thread: thread.clone(), place, problem },
        FoldError::Changed(error) => misfit::<G>(state.version, &error),
        FoldError::Unmigrated { from, problem } => {
            Difference::Unmigrated { state: state.name.to_owned(), from, problem }
        }
    };
    changed(thread, difference)
}

/// A thread that one thing keeps from going on.
pub(crate) fn changed(thread: &ThreadId, difference: Difference) -> Error {
    Error::GraphChanged { thread: thread.clone(), differences: vec![difference] }
}
