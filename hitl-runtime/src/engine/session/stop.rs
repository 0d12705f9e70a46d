//! Threads that a person has stopped.

use crate::{
    Digest, Error, ThreadId,
    engine::Engine,
    journal::{Fold, Stop, StopKind},
};

/// Returns the error for a thread that a person has stopped as a settlement of a doubt.
fn has_stopped(thread: &ThreadId, node: &str, said: &str) -> Error {
    Error::BadVerdict {
        thread: thread.clone(),
        node: node.to_owned(),
        problem: format!("the thread was {said}, so it cannot continue"),
    }
}

/// Returns the error for a thread that was cancelled.
pub(in crate::engine) fn has_been_cancelled(thread: &ThreadId, stop: &Stop) -> Error {
    Error::Cancelled {
        thread: thread.clone(),
        by: stop.operator.clone(),
        reason: stop.reason.clone(),
        at: stop.since,
    }
}

/// Checks that nodes of a thread may still begin, now or later.
pub(in crate::engine) fn is_not_closed(fold: &Fold, node: &str) -> Result<(), Error> {
    match (&fold.stop, fold.settled_stop()) {
        (Some(stop), _) if stop.kind == StopKind::Cancel => Err(has_been_cancelled(&fold.thread, stop)),
        (_, Some(said)) => Err(has_stopped(&fold.thread, node, said)),
        _ => Ok(()),
    }
}

/// Rejects a verdict on a review of a thread that a person has closed.
pub(in crate::engine) fn is_not_stopped(fold: &Fold, digest: Digest) -> Result<(), Error> {
    match fold.paused().find(|(_, open)| open.digest == digest) {
        Some((_, open)) => is_not_closed(fold, &open.activation.node),
        None => Ok(()),
    }
}

impl Engine {
    /// Returns whether no node of a thread may begin, because of its own stop, or of that of its graph or its store as this
    /// process has last read it.
    pub(in crate::engine) fn is_halted(&self, fold: &Fold) -> bool {
        fold.is_stopped() || self.stops.known(self.graph.spec.name).is_some()
    }
}
