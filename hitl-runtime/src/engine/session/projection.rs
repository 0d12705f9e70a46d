//! The rows that a store indexes of a thread: its status, the time at which it is due, and its open reviews; and its
//! counts for the metrics.

use crate::{
    OpenReview, ThreadStatus, Timestamp,
    engine::Engine,
    journal::{Entry, Fold, LaneState},
    metrics::{OpenedReview, count_event},
    store::Tally,
};

/// Returns the status of a thread, for the index.
pub(crate) fn thread_status(fold: &Fold) -> ThreadStatus {
    if fold.ended {
        ThreadStatus::Ended
    } else if fold.needs_runner() {
        ThreadStatus::Running
    } else if fold.lanes.has_in_doubt() {
        ThreadStatus::InDoubt
    } else if fold.is_cancelled() {
        ThreadStatus::Ended
    } else if fold.lanes.has_failed() {
        ThreadStatus::Failed
    } else {
        ThreadStatus::Waiting
    }
}

/// Returns the time at which a sweep must process the thread unless it has changed by then: the earliest review
/// deadline, reminder or lease end. `None` if nothing is due.
pub(in crate::engine) fn due(fold: &Fold) -> Option<Timestamp> {
    if fold.ended {
        return None;
    }
    // A thread that runs without a lease has no runner, and is due now.
    let lease =
        fold.needs_runner().then(|| fold.lease.as_ref().map_or(Timestamp::UNIX_EPOCH, |lease| lease.until));
    let due = fold.open().filter_map(|(_, open)| open.due()).chain(lease).min()?;
    Some(due.min(Timestamp::from_millis(i64::MAX.unsigned_abs())))
}

/// Returns the open reviews, for the index.
pub(in crate::engine) fn reviews(fold: &Fold) -> Vec<OpenReview> {
    let mut reviews = Vec::with_capacity(fold.open().count());
    reviews.extend(fold.open().map(|(_, open)| {
        OpenReview::new(
            fold.thread.clone(),
            fold.graph.clone(),
            open.activation.node.clone(),
            open.digest,
            open.place,
            open.opened,
        )
        .with_role(open.role.clone())
        .with_deadline(open.deadline)
    }));
    reviews
}

impl Engine {
    /// Returns the counts of an entry for the metrics, before it is applied to the thread; `None` if the store keeps
    /// none.
    pub(in crate::engine) fn counted(&self, fold: &Fold, entry: &Entry) -> Option<Tally> {
        if !self.store.keeps_tallies() {
            return None;
        }
        let review = entry.event.lane().and_then(|lane| match &fold.lanes.get(&lane)?.at {
            LaneState::Paused(open) => Some(OpenedReview { opened: open.opened, when: open.when.as_ref() }),
            _ => None,
        });
        count_event(&fold.graph, &entry.event, entry.at, review)
    }
}
