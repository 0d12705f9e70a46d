//! Entries that only a holder of a key can have written: each carries a message authentication code (MAC).
//!
//! A MAC is the last member of an entry's JSON, `"auth":{"key":"…","mac":"…"}`, so every store keeps it as it keeps the
//! rest. It is HMAC-SHA-256 over a domain separator, the key's id, the thread, the place, the hash of the entry before
//! and the SHA-256 of the entry without it. An entry that was changed, inserted, moved to another place or thread, or
//! whose MAC was removed, is refused by a program that has the keys.
//!
//! Two things a MAC cannot show, because both are journals that a key's holder did write: the newest entries are gone, or
//! a whole thread is again as it was. The heads that `verify --against` reads show both.

mod environment;
mod key;
mod keys;
#[cfg(feature = "kms")]
mod kms;

pub use environment::UnusableJournalKeys;
pub(crate) use key::MacError;
pub use key::{InvalidJournalKey, JournalKey};
pub use keys::{JournalKeys, Purpose};

use super::{Decision, Digest, Entry, Event, Place, Reason};

const START: &[u8] = br#","auth":{"key":""#;
const MIDDLE: &[u8] = br#"","mac":""#;
const END: &[u8] = br#""}}"#;

/// The number of bytes of a MAC.
pub(crate) const MAC: usize = 32;

/// The acts that keys may be limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A person's: a verdict, or what became of an effect in doubt.
    Verdict,
    /// An expired review's rejection: it signs nothing, and both a runner and a front may find it due.
    Expiry,
    /// Everything else.
    Run,
    /// A person's act whose entry also says what only a runner knows: it needs a key for everything.
    Both,
}

impl Act {
    pub(crate) fn of(event: &Event) -> Self {
        match event {
            Event::Decided { verdict: Decision::Reject { reason: Reason::Expired, .. }, .. } => Self::Expiry,
            Event::Decided { .. } | Event::Settled { .. } | Event::Adopted { .. } => Self::Verdict,
            _ => Self::Run,
        }
    }

    /// The act of a whole entry: a snapshot, a lease and what models took are a runner's, whatever the event is.
    pub(crate) fn of_entry(entry: &Entry) -> Self {
        let Entry { at_ms: _, event, lease, spent, snapshot } = entry;
        Self::of(event).carrying(lease.is_some() || !spent.is_empty() || snapshot.is_some())
    }

    /// The same act in an entry that also says what a runner knows, if it does.
    pub(crate) fn carrying(self, runners: bool) -> Self {
        match self {
            Self::Verdict if runners => Self::Both,
            Self::Expiry if runners => Self::Run,
            act => act,
        }
    }
}

/// Where an entry stands, which its MAC binds it to.
#[derive(Clone, Copy)]
pub(crate) struct Position<'a> {
    pub(crate) thread: &'a str,
    pub(crate) place: Place,
    /// The hash of the entry before.
    pub(crate) before: Digest,
}

impl Position<'_> {
    /// The bytes that a MAC is computed over.
    fn message(&self, key: &str, body: Digest) -> Vec<u8> {
        const DOMAIN: &[u8] = b"hitl journal entry mac 1\0";
        let mut message = Vec::with_capacity(DOMAIN.len() + key.len() + self.thread.len() + 24 + 64);
        message.extend_from_slice(DOMAIN);
        for text in [key, self.thread] {
            message.extend_from_slice(&(text.len() as u64).to_be_bytes());
            message.extend_from_slice(text.as_bytes());
        }
        message.extend_from_slice(&self.place.to_be_bytes());
        message.extend_from_slice(self.before.as_bytes());
        message.extend_from_slice(body.as_bytes());
        message
    }
}

/// An entry's bytes, taken apart.
pub(crate) struct Authenticated<'a> {
    /// The id of the key.
    pub(crate) key: &'a str,
    mac: [u8; MAC],
    /// The digest of the entry without its MAC.
    body: Digest,
}

/// Takes the MAC off an entry; `None` for an entry that has none.
pub(crate) fn split(entry: &[u8]) -> Option<Authenticated<'_>> {
    let rest = entry.strip_suffix(END)?;
    let (rest, mac) = rest.split_last_chunk::<{ 2 * MAC }>()?;
    let text = str::from_utf8(mac).ok()?;
    // One MAC has one form: with capital letters it would be another entry that is as valid.
    let mac: Digest = text.parse().ok().filter(|mac: &Digest| mac.to_string() == text)?;
    let rest = rest.strip_suffix(MIDDLE)?;
    // An id has no quotation mark, so the last one begins it.
    let quote = rest.iter().rposition(|byte| *byte == b'"')?;
    let (rest, key) = rest.split_at(quote + 1);
    let body = rest.strip_suffix(START)?;
    let key = str::from_utf8(key).ok().filter(|key| key::is_id(key))?;
    Some(Authenticated { key, mac: *mac.as_bytes(), body: Digest::of_parts(&[body, b"}"]) })
}

/// Puts a MAC into an entry's JSON, as its last member.
fn join(entry: &mut Vec<u8>, key: &str, mac: [u8; MAC]) {
    entry.pop();
    entry.extend_from_slice(START);
    entry.extend_from_slice(key.as_bytes());
    entry.extend_from_slice(MIDDLE);
    entry.extend_from_slice(Digest::from_bytes(mac).to_string().as_bytes());
    entry.extend_from_slice(END);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> JournalKeys {
        JournalKeys::new(JournalKey::new([byte; 32]).unwrap())
    }

    fn at(thread: &str, place: Place) -> Position<'_> {
        Position { thread, place, before: Digest::of(b"before") }
    }

    async fn signed(keys: &JournalKeys, position: Position<'_>) -> Vec<u8> {
        let mut entry = br#"{"at":1,"is":{"resumed":{}}}"#.to_vec();
        keys.sign(Act::Run, position, &mut entry).await.unwrap();
        entry
    }

    #[tokio::test]
    async fn an_entry_is_valid_only_where_it_was_written() {
        let keys = keys(1);
        let entry = signed(&keys, at("t", 3)).await;
        let json: serde_json::Value = serde_json::from_slice(&entry).unwrap();
        assert_eq!(json["auth"]["mac"].as_str().unwrap().len(), 64);
        assert!(keys.verify(Act::Run, at("t", 3), &entry).await.is_ok());
        for wrong in [at("u", 3), at("t", 4), Position { before: Digest::of(b""), ..at("t", 3) }] {
            assert!(keys.verify(Act::Run, wrong, &entry).await.is_err());
        }
    }

    #[tokio::test]
    async fn no_byte_of_an_entry_can_change() {
        let keys = keys(1);
        let entry = signed(&keys, at("t", 3)).await;
        for byte in 0..entry.len() {
            for flip in [1, 0x20, 0x80] {
                let mut changed = entry.clone();
                changed[byte] ^= flip;
                assert!(keys.verify(Act::Run, at("t", 3), &changed).await.is_err(), "byte {byte}");
            }
            assert!(keys.verify(Act::Run, at("t", 3), &entry[..byte]).await.is_err(), "cut at {byte}");
        }
    }

    #[tokio::test]
    async fn another_key_of_the_same_name_does_not_verify() {
        let named = |byte| JournalKeys::new(JournalKey::new([byte; 32]).unwrap().named("a").unwrap());
        let entry = signed(&named(1), at("t", 0)).await;
        assert!(named(1).verify(Act::Run, at("t", 0), &entry).await.is_ok());
        assert!(named(2).verify(Act::Run, at("t", 0), &entry).await.is_err());
    }

    #[test]
    fn what_has_no_mac_is_taken_for_none() {
        for entry in ["", "{}", r#"{"at":1}"#, r#"{"auth":{"key":"","mac":""}}"#, r#""}}"#] {
            assert!(split(entry.as_bytes()).is_none(), "{entry}");
        }
    }
}
