//! Tamper evidence: each entry carries the hash of the one before it.

use super::Digest;

/// The hash before a thread's first entry. It names the thread, so that a journal cannot be passed off as another's.
pub(crate) fn genesis(thread: &str) -> Digest {
    Digest::of_parts(&[b"hitl journal 1\0", thread.as_bytes()])
}

/// The hash of an entry: of the hash before it, and of its bytes.
pub(crate) fn link(before: Digest, body: &[u8]) -> Digest {
    Digest::of_parts(&[before.as_bytes(), body])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_an_exchange_and_another_thread_all_change_the_hash() {
        let start = genesis("ticket-A-9133");
        let honest = link(link(start, b"one"), b"two");
        assert_ne!(honest, link(link(start, b"onf"), b"two"));
        assert_ne!(honest, link(link(start, b"two"), b"one"));
        assert_ne!(honest, link(link(genesis("ticket-A-9134"), b"one"), b"two"));
    }
}
