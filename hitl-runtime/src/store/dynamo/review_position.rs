//! The position of a review in its list.

use serde::{Deserialize, Serialize};

use crate::{Digest, Place, ThreadId, Timestamp, store::OpenReview};

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReviewPosition {
    pub(super) opened: Timestamp,
    pub(super) thread: ThreadId,
    pub(super) place: Place,
    digest: Digest,
}

impl ReviewPosition {
    /// Returns the position of a review.
    pub(super) fn of(review: &OpenReview) -> Self {
        let OpenReview { opened, thread, place, digest, .. } = review;
        Self { opened: *opened, thread: thread.clone(), place: *place, digest: *digest }
    }

    /// Returns whether a review of the same row, or of a later one, follows this position.
    pub(super) fn is_before(&self, review: &OpenReview) -> bool {
        let same_row = review.opened == self.opened && review.thread == self.thread;
        !same_row || (review.place, review.digest) > (self.place, self.digest)
    }
}
