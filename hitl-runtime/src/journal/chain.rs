//! The hash chain of a journal, for tamper evidence: the hash of each entry covers the hash of the entry before it.

use super::Digest;

/// Returns the hash that precedes a thread's first entry. It is derived from the thread's name, so that a journal is
/// not valid under the name of another thread.
pub(crate) fn genesis(thread: &str) -> Digest {
    Digest::of_parts(&[b"hitl journal 1\0", thread.as_bytes()])
}

/// Returns the hash of an entry, computed from the hash of the entry before it and the entry's bytes.
pub(crate) fn link(before: Digest, body: &[u8]) -> Digest {
    Digest::of_parts(&[before.as_bytes(), body])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_bytes_order_or_thread_changes_the_hash() {
        let start = genesis("ticket-A-9133");
        let honest = link(link(start, b"one"), b"two");
        assert_ne!(honest, link(link(start, b"onf"), b"two"));
        assert_ne!(honest, link(link(start, b"two"), b"one"));
        assert_ne!(honest, link(link(genesis("ticket-A-9134"), b"one"), b"two"));
    }
}
