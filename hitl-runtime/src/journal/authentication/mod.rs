//! Authentication of entries: with a journal key, each entry carries a message authentication code (MAC).
//!
//! A MAC is the last member of an entry's JSON, `"auth":{"key":"…","mac":"…"}`, so every store keeps it like the rest
//! of the entry. It is HMAC-SHA-256 over a domain separator, the key's id, the thread, the place, the hash of the entry
//! before it, and the SHA-256 of the entry without the MAC. A program that has the keys rejects an entry that was
//! changed, inserted, or moved to another place or thread, or whose MAC was removed.
//!
//! A MAC does not reveal that the newest entries are missing or that a whole thread was reset to an earlier state,
//! because a key holder wrote those journals. The heads that `verify --against` reads reveal both.

mod environment;
mod key;
mod keys;
#[cfg(feature = "kms")]
mod kms;

pub use environment::UnusableJournalKeys;
pub(crate) use key::MacError;
pub use key::{InvalidJournalKey, JournalKey};
pub use keys::{JournalKeys, Purpose};

use super::{Decision, Digest, Entry, Event, Place, Reason, StopKind};

const START: &[u8] = br#","auth":{"key":""#;
const MIDDLE: &[u8] = br#"","mac":""#;
const END: &[u8] = br#""}}"#;

/// The number of bytes of a MAC.
pub(crate) const MAC: usize = 32;

/// The kind of an entry, to which the use of a key can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// An act of an operator: a verdict, the settlement of an effect in doubt, a stop, or the adoption of a journal.
    Verdict,
    /// The rejection of an expired review, or the cancellation of a thread with its graph or its store. It signs nothing, and
    /// both a runner and a front end may append it.
    Expiry,
    /// Every other entry.
    Run,
    /// An act of an operator whose entry also has data of a runner. It requires a key for everything.
    Both,
}

impl Act {
    pub(crate) fn from_event(event: &Event) -> Self {
        match event {
            Event::Decided { verdict: Decision::Reject { reason: Reason::Expired, .. }, .. } => Self::Expiry,
            // It follows from a stop in the journal of stops, which is an act of an operator.
            Event::Stopped { kind: StopKind::Cancel, follows: Some(_), .. } => Self::Expiry,
            Event::Decided { .. }
            | Event::Settled { .. }
            | Event::Stopped { .. }
            | Event::Unpaused { .. }
            | Event::Adopted { .. } => Self::Verdict,
            _ => Self::Run,
        }
    }

    /// Returns the kind of a whole entry. A snapshot, a lease and model usage are data of a runner, for every event.
    pub(crate) fn from_entry(entry: &Entry) -> Self {
        let Entry { at: _, event, lease, spent, snapshot } = entry;
        Self::from_event(event).carrying(lease.is_some() || !spent.is_empty() || snapshot.is_some())
    }

    /// Returns the kind of the entry if it also has data of a runner (`runners`).
    pub(crate) fn carrying(self, runners: bool) -> Self {
        match self {
            Self::Verdict if runners => Self::Both,
            Self::Expiry if runners => Self::Run,
            act => act,
        }
    }
}

/// The position of an entry, which its MAC covers.
#[derive(Clone, Copy)]
pub(crate) struct Position<'a> {
    pub(crate) thread: &'a str,
    pub(crate) place: Place,
    /// The hash of the entry before it.
    pub(crate) before: Digest,
}

impl Position<'_> {
    /// Returns the bytes that the MAC is computed over.
    fn message(&self, key: &str, body: Digest) -> Vec<u8> {
        const DOMAIN: &[u8] = b"hitl journal entry mac 1\0";
        let mut message = Vec::with_capacity(DOMAIN.len() + key.len() + self.thread.len() + 24 + 64);
        message.extend_from_slice(DOMAIN);
        for text in [key, self.thread] {
            message.extend_from_slice(&(text.len() as u64).to_be_bytes());
            message.extend_from_slice(text.as_bytes());
        }
        message.extend_from_slice(&self.place.get().to_be_bytes());
        message.extend_from_slice(self.before.as_bytes());
        message.extend_from_slice(body.as_bytes());
        message
    }
}

/// The parts of an entry that has a MAC.
pub(crate) struct Authenticated<'a> {
    /// The id of the key.
    pub(crate) key: &'a str,
    mac: [u8; MAC],
    /// The digest of the entry without its MAC.
    body: Digest,
}

/// Splits the MAC from an entry; `None` if the entry has none.
pub(crate) fn split(entry: &[u8]) -> Option<Authenticated<'_>> {
    let rest = entry.strip_suffix(END)?;
    let (rest, mac) = rest.split_last_chunk::<{ 2 * MAC }>()?;
    let text = str::from_utf8(mac).ok()?;
    // A MAC has one valid spelling. If uppercase digits were accepted, the same MAC would be valid for a second form of
    // the entry.
    let mac: Digest = text.parse().ok().filter(|mac: &Digest| mac.to_string() == text)?;
    let rest = rest.strip_suffix(MIDDLE)?;
    // An id contains no quotation mark, so the last one precedes the id.
    let quote = rest.iter().rposition(|byte| *byte == b'"')?;
    let (rest, key) = rest.split_at(quote + 1);
    let body = rest.strip_suffix(START)?;
    let key = str::from_utf8(key).ok().filter(|key| key::is_id(key))?;
    Some(Authenticated { key, mac: *mac.as_bytes(), body: Digest::of_parts(&[body, b"}"]) })
}

/// Inserts a MAC into an entry's JSON, as its last member.
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
        let entry = signed(&keys, at("t", 3.into())).await;
        let json: serde_json::Value = serde_json::from_slice(&entry).unwrap();
        assert_eq!(json["auth"]["mac"].as_str().unwrap().len(), 64);
        assert!(keys.verify(Act::Run, at("t", 3.into()), &entry).await.is_ok());
        for wrong in
            [at("u", 3.into()), at("t", 4.into()), Position { before: Digest::of(b""), ..at("t", 3.into()) }]
        {
            assert!(keys.verify(Act::Run, wrong, &entry).await.is_err());
        }
    }

    #[tokio::test]
    async fn no_byte_of_an_entry_can_change() {
        let keys = keys(1);
        let entry = signed(&keys, at("t", 3.into())).await;
        for byte in 0..entry.len() {
            for flip in [1, 0x20, 0x80] {
                let mut changed = entry.clone();
                changed[byte] ^= flip;
                assert!(keys.verify(Act::Run, at("t", 3.into()), &changed).await.is_err(), "byte {byte}");
            }
            assert!(keys.verify(Act::Run, at("t", 3.into()), &entry[..byte]).await.is_err(), "cut at {byte}");
        }
    }

    #[tokio::test]
    async fn another_key_of_the_same_name_does_not_verify() {
        let named = |byte| JournalKeys::new(JournalKey::new([byte; 32]).unwrap().named("a").unwrap());
        let entry = signed(&named(1), at("t", 0.into())).await;
        assert!(named(1).verify(Act::Run, at("t", 0.into()), &entry).await.is_ok());
        assert!(named(2).verify(Act::Run, at("t", 0.into()), &entry).await.is_err());
    }

    #[test]
    fn an_entry_without_a_mac_is_unauthenticated() {
        for entry in ["", "{}", r#"{"at":1}"#, r#"{"auth":{"key":"","mac":""}}"#, r#""}}"#] {
            assert!(split(entry.as_bytes()).is_none(), "{entry}");
        }
    }
}
