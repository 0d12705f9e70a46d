//! Page tokens, which encode the last item of a page.

use crate::{
    Digest, StoreError, ThreadId,
    store::{OpenReview, Place},
};

/// The position of a review in its list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReviewPosition {
    pub(super) opened_ms: u64,
    pub(super) thread: ThreadId,
    pub(super) place: Place,
    digest: Digest,
}

impl ReviewPosition {
    /// Returns whether a review of the same row, or of a later one, follows this position.
    pub(super) fn is_before(&self, review: &OpenReview) -> bool {
        let same_row = review.opened_ms == self.opened_ms && review.thread == self.thread;
        !same_row || (review.place, review.digest) > (self.place, self.digest)
    }
}

pub(super) fn after_review(review: &OpenReview) -> String {
    format!("r{:x}-{:x}-{}-{}", review.opened_ms, review.place, review.digest, review.thread)
}

pub(super) fn after_due(due_ms: u64, thread: &ThreadId) -> String {
    format!("d{due_ms:x}-{thread}")
}

pub(super) fn after_thread(thread: &ThreadId) -> String {
    format!("t{thread}")
}

/// Parses a token of [`after_review`].
pub(super) fn read_review(token: &str) -> Result<ReviewPosition, StoreError> {
    let read = || {
        let mut parts = token.strip_prefix('r')?.splitn(4, '-');
        Some(ReviewPosition {
            opened_ms: number(parts.next()?)?,
            place: number(parts.next()?)?,
            digest: parts.next()?.parse().ok()?,
            thread: ThreadId::existing(parts.next()?).ok()?,
        })
    };
    read().ok_or_else(|| StoreError::InvalidPageToken(token.to_owned()))
}

/// Parses a token of [`after_due`].
pub(super) fn read_due(token: &str) -> Result<(u64, ThreadId), StoreError> {
    let read = || {
        let (at, thread) = token.strip_prefix('d')?.split_once('-')?;
        Some((number(at)?, ThreadId::existing(thread).ok()?))
    };
    read().ok_or_else(|| StoreError::InvalidPageToken(token.to_owned()))
}

/// Parses a token of [`after_thread`].
pub(super) fn read_thread(token: &str) -> Result<ThreadId, StoreError> {
    let thread = token.strip_prefix('t').and_then(|name| ThreadId::existing(name).ok());
    thread.ok_or_else(|| StoreError::InvalidPageToken(token.to_owned()))
}

/// Parses a hexadecimal number, and rejects every spelling other than that of the tokens.
fn number(hex: &str) -> Option<u64> {
    u64::from_str_radix(hex, 16).ok().filter(|number| format!("{number:x}") == hex)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_other_text_is_rejected() {
        let thread = ThreadId::new("r1-2 ü-x").unwrap();
        let review = OpenReview {
            thread: thread.clone(),
            graph: "G".into(),
            node: "n".into(),
            digest: Digest::of(b""),
            role: None,
            place: 0,
            opened_ms: u64::MAX,
            deadline_ms: None,
        };
        let token = after_review(&review);
        let read = read_review(&token).unwrap();
        assert_eq!((read.opened_ms, read.place, &read.thread), (u64::MAX, 0, &thread));
        assert!(!read.is_before(&review) && read.is_before(&OpenReview { place: 1, ..review.clone() }));
        assert_eq!(read_due(&after_due(17, &thread)).unwrap(), (17, thread.clone()));
        assert_eq!(read_thread(&after_thread(&thread)).unwrap(), thread);
        for bad in
            ["", "r", "r-", "r1-1", "r01-1-x-t", "r+1-1", "d", "d1", "d1-", "d01-t", "dA-t", "t", "t ", "x"]
        {
            assert!(read_review(bad).is_err(), "{bad}");
            assert!(read_due(bad).is_err(), "{bad}");
            assert!(read_thread(bad).is_err(), "{bad}");
        }
        assert!(read_due(&token).is_err() && read_thread(&token).is_err());
    }
}
