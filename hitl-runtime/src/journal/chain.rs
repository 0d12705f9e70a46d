//! Tamper evidence: each entry carries the hash of the one before it.

use super::{Digest, Written};

/// The hash before a thread's first entry. It names the thread, so that a journal cannot be passed off as another's.
pub(crate) fn genesis(thread: &str) -> Digest {
    Digest::of_parts(&[b"hitl journal 1\0", thread.as_bytes()])
}

/// The hash of an entry: of the hash before it, and of its bytes.
pub(crate) fn link(before: Digest, body: &[u8]) -> Digest {
    Digest::of_parts(&[before.as_bytes(), body])
}

/// Encodes an entry and links it to the one before. What is in the buffer does not matter: it is there to be used again.
pub(crate) fn seal(
    before: Digest,
    entry: &Written<'_>,
    buffer: &mut Vec<u8>,
) -> Result<(Digest, Vec<u8>), serde_json::Error> {
    buffer.clear();
    buffer.extend_from_slice(before.as_bytes());
    let start = buffer.len();
    serde_json::to_writer(&mut *buffer, entry)?;
    // As `link` does, in one piece.
    Ok((Digest::of(buffer), buffer[start..].to_vec()))
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

    #[test]
    fn what_is_sealed_is_linked() -> Result<(), serde_json::Error> {
        let entry = serde_json::from_str(r#"{"at":1,"is":{"resumed":{}}}"#)?;
        let before = genesis("ticket-A-9133");
        let (hash, body) = seal(before, &Written::from(&entry), &mut b"of another entry".to_vec())?;
        assert_eq!(body, br#"{"at":1,"is":{"resumed":{}}}"#);
        assert_eq!(hash, link(before, &body));
        Ok(())
    }
}
