//! Page tokens of the in-memory store and the SQLite store.

use super::StoreError;
use crate::ThreadId;

/// Returns the token for the page after the review with this opening time and number.
pub(super) fn after_review(opened_ms: u64, number: u64) -> String {
    format!("r{opened_ms:x}-{number:x}")
}

/// Returns the token for the page after the thread with this due time and number.
pub(super) fn after_due(due_ms: u64, number: u64) -> String {
    format!("d{due_ms:x}-{number:x}")
}

/// Returns the token for the page after this thread.
pub(super) fn after_thread(thread: &ThreadId) -> String {
    format!("t{thread}")
}

/// Parses a token of [`after_review`].
pub(super) fn read_review(token: &str) -> Result<(u64, u64), StoreError> {
    read_pair(token, after_review)
}

/// Parses a token of [`after_due`].
pub(super) fn read_due(token: &str) -> Result<(u64, u64), StoreError> {
    read_pair(token, after_due)
}

/// Parses a letter and two hexadecimal numbers, and rejects every spelling other than that of `write`.
fn read_pair(token: &str, write: fn(u64, u64) -> String) -> Result<(u64, u64), StoreError> {
    token
        .split_at_checked(1)
        .and_then(|(_, rest)| rest.split_once('-'))
        .and_then(|(time, number)| {
            Some((u64::from_str_radix(time, 16).ok()?, u64::from_str_radix(number, 16).ok()?))
        })
        .filter(|&(time, number)| write(time, number) == token)
        .ok_or_else(|| StoreError::InvalidPageToken(token.to_owned()))
}

/// Parses a token of [`after_thread`].
pub(super) fn read_thread(token: &str) -> Result<ThreadId, StoreError> {
    token
        .strip_prefix('t')
        .and_then(|name| ThreadId::existing(name).ok())
        .ok_or_else(|| StoreError::InvalidPageToken(token.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_other_text_is_rejected() {
        assert_eq!(read_review(&after_review(u64::MAX, 0)).unwrap(), (u64::MAX, 0));
        assert_eq!(read_due(&after_due(0, u64::MAX)).unwrap(), (0, u64::MAX));
        assert!(read_due(&after_review(1, 1)).is_err() && read_review(&after_due(1, 1)).is_err());
        let thread = ThreadId::new("ticket ü").unwrap();
        assert_eq!(read_thread(&after_thread(&thread)).unwrap(), thread);
        for token in [
            "",
            "r",
            "r-",
            "r1",
            "r1-",
            "r+1-1",
            "r01-1",
            "rA-1",
            "r1-1 ",
            "r1-1-1",
            "x1-1",
            "r11111111111111111-0",
        ] {
            assert!(read_review(token).is_err() && read_due(token).is_err(), "{token}");
        }
        for token in ["", "t", "t ", "tx\n", "r1-1"] {
            assert!(read_thread(token).is_err(), "{token}");
        }
    }
}
