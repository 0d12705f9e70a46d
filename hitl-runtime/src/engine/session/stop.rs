//! Threads that a person has stopped.

use crate::{Digest, Error, ThreadId, journal::Fold};

/// Returns the error for a thread that a person has stopped.
pub(in crate::engine) fn has_stopped(thread: &ThreadId, node: &str, said: &str) -> Error {
    Error::BadVerdict {
        thread: thread.clone(),
        node: node.to_owned(),
        problem: format!("the thread was {said}, so it cannot continue"),
    }
}

/// Rejects a verdict on a review of a thread that a person has stopped.
pub(in crate::engine) fn is_not_stopped(fold: &Fold, digest: Digest) -> Result<(), Error> {
    let Some((_, said)) = fold.stop() else { return Ok(()) };
    match fold.paused().find(|(_, open)| open.digest == digest) {
        Some((_, open)) => Err(has_stopped(&fold.thread, &open.activation.node, said)),
        None => Ok(()),
    }
}
