//! Findings of a verification.

use std::time::Duration;

use serde::Serialize;

use crate::{Error, Place, ThreadId};

/// A problem of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The place of the entry.
    pub place: Place,
    /// The kind of problem.
    pub kind: FindingKind,
    /// The description of the problem, for people.
    pub problem: String,
}

impl Finding {
    /// Returns the finding as the error of a call about `thread`: [`Error::Unauthenticated`] or [`Error::Damaged`].
    pub fn error(&self, thread: &ThreadId) -> Error {
        let (thread, place, problem) = (thread.clone(), self.place, self.problem.clone());
        match self.kind {
            FindingKind::Unauthenticated => Error::Unauthenticated { thread, place, problem },
            _ => Error::Damaged { thread, place, problem },
        }
    }
}

/// The kinds of [`Finding`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// The hash of an entry does not follow from the entry before it, or an entry is missing.
    Chain,
    /// The journal is not the one whose head was kept, or its end was cut off.
    Head,
    /// The entry was not written by a holder of the journal keys.
    Unauthenticated,
    /// The entry cannot be read, or cannot follow the entries before it.
    Unreadable,
    /// The snapshot of the entry differs from the state that the entries before it produce.
    Snapshot,
    /// A digest does not match the draft.
    Digest,
    /// A node or an effect ran without a signature, or an effect ran without having begun.
    Unsigned,
    /// The entry leads to a step that the graph does not have there, or is about a node that the thread was not at.
    Route,
    /// A time goes backwards by more than [`CLOCK_SKEW`], or is on the wrong side of a deadline.
    Time,
    /// A runner took the thread over while another runner held its lease.
    Lease,
}

/// Entries whose meaning could not be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UncheckedRange {
    /// The first place.
    pub from: Place,
    /// The last place.
    pub to: Place,
    /// The reason.
    pub reason: String,
}

/// The tolerated difference between the clocks of two processes. Verification reports only larger deviations of times,
/// deadlines and leases.
pub const CLOCK_SKEW: Duration = Duration::from_mins(5);
