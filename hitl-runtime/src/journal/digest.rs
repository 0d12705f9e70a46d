//! Digests of reviews: the 32 bytes that identify exactly what is signed.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::canonical;

/// The SHA-256 of a review in canonical JSON (RFC 8785). It covers the thread and its random id, the node, the field,
/// the place at which the review was opened, the requester if known, the draft, the fields that are shown beside it,
/// and the later effects that the signature covers. Two reviews never have the same digest, even if their drafts are
/// equal.
///
/// ```
/// use hitl::Digest;
///
/// let digest: Digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".parse()?;
/// assert_eq!(digest, Digest::of(b"hello"));
/// assert_eq!(digest.short(), "2cf24dba5fb0a30e");
/// assert_eq!(Digest::from_bytes(*digest.as_bytes()), digest);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the SHA-256 of the concatenated parts.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        Self(hasher.finalize().into())
    }

    /// Returns the digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the first 16 hexadecimal digits, for people to compare. They are 64 bits, so that it is impractical to
    /// find another draft with the same digits.
    pub fn short(&self) -> String {
        self.to_string()[..16].to_owned()
    }

    /// Calls `reader` with the 64 hexadecimal digits. This avoids `fmt`, because every entry is written with digests.
    fn with_hex<T>(&self, reader: impl FnOnce(&str) -> T) -> T {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        reader(str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_hex(|text| f.write_str(text))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error for a text that is not a digest.
///
/// ```
/// use hitl::{Digest, journal::ParseDigestError};
///
/// // The short form is for people: it names no review.
/// assert_eq!("2cf24dba5fb0a30e".parse::<Digest>(), Err(ParseDigestError));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct ParseDigestError;

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let text = text.as_bytes();
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(ParseDigestError);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn nibble(digit: u8) -> Result<u8, ParseDigestError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(ParseDigestError),
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_hex(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

/// Deserializes a value from a string through its [`FromStr`], without copying the string.
pub(super) fn from_text<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    struct Text<T>(PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text(PhantomData))
}

/// The content of a review that its digest covers.
pub(crate) struct Subject<'a> {
    pub(crate) thread: &'a str,
    pub(crate) id: &'a str,
    pub(crate) node: &'a str,
    pub(crate) field: &'a str,
    pub(crate) place: u64,
    /// The operator who started the thread. It is omitted from the digest if unknown, so that older reviews keep their
    /// digests.
    pub(crate) requester: Option<&'a str>,
    pub(crate) draft: &'a Value,
    /// The later effects that the signature covers. They are omitted from the digest if there are none.
    pub(crate) covers: &'a [String],
    /// The fields that are shown beside the draft, as an object; `None` if the review shows none.
    pub(crate) shown: Option<&'a Value>,
}

impl Subject<'_> {
    pub(crate) fn digest(&self) -> Result<Digest, DigestError> {
        let mut json = Vec::with_capacity(512);
        json.push(b'{');
        // Omitted if empty, so that reviews of versions without `covers` keep their digests.
        if !self.covers.is_empty() {
            canonical::plain("covers", &mut json)?;
            json.push(b':');
            canonical::plain(self.covers, &mut json)?;
            json.push(b',');
        }
        json.extend_from_slice(br#""draft":"#);
        canonical::write(self.draft, &mut json)?;
        // Canonical JSON sorts the members of an object by name.
        for (name, text) in [("field", self.field), ("id", self.id), ("node", self.node)] {
            member(name, text, &mut json)?;
        }
        member("place", &self.place, &mut json)?;
        if let Some(requester) = self.requester {
            member("requester", requester, &mut json)?;
        }
        if let Some(shown) = self.shown {
            json.extend_from_slice(br#","shown":"#);
            canonical::write(shown, &mut json)?;
        }
        member("thread", self.thread, &mut json)?;
        json.push(b'}');
        Ok(Digest::of(&json))
    }
}

fn member<T: Serialize + ?Sized>(name: &str, value: &T, json: &mut Vec<u8>) -> Result<(), DigestError> {
    json.push(b',');
    canonical::plain(name, json)?;
    json.push(b':');
    canonical::plain(value, json)
}

/// The error for a draft that has no canonical JSON.
///
/// ```
/// use hitl::journal::DigestError;
///
/// let error = DigestError { path: "cents".into(), problem: "9007199254740993 is beyond 2^53".into() };
/// assert_eq!(error.to_string(), "cents: 9007199254740993 is beyond 2^53");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct DigestError {
    /// The path inside the draft.
    pub path: String,
    /// The problem at that path.
    pub problem: String,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_digest_round_trips_and_other_text_is_rejected() {
        let digest = Digest::of(b"hello");
        let text = digest.to_string();
        assert_eq!(text, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert_eq!(serde_json::to_string(&digest).unwrap(), format!("{text:?}"));
        assert_eq!(serde_json::from_str::<Digest>(&format!("{text:?}")).unwrap(), digest);
        assert_eq!(text.to_uppercase().parse(), Ok(digest));
        for wrong in
            [&text[1..], &format!("+{}", &text[1..]), &text.replace('2', "g"), &text.replace('2', "é")]
        {
            assert_eq!(wrong.parse::<Digest>(), Err(ParseDigestError), "{wrong}");
        }
    }

    #[test]
    fn the_digest_of_a_review_uses_canonical_json() {
        let draft = json!({ "b": [1.0, "\u{1}"], "a": { "ü": null } });
        let (thread, id, node, field, place) = ("ticket \"1\"", "0f", "execute", "draft", 3);
        let plain = Subject {
            thread,
            id,
            node,
            field,
            place,
            requester: None,
            draft: &draft,
            covers: &[],
            shown: None,
        };
        let mut whole = json!({
            "thread": thread, "id": id, "node": node, "field": field, "place": place, "draft": draft,
        });
        let digest = |whole: &Value| Digest::of(&serde_json_canonicalizer::to_vec(whole).unwrap());
        assert_eq!(plain.digest().unwrap(), digest(&whole));

        let (covers, shown) = (["wire".to_owned(), "hold".to_owned()], json!({ "iban": "DE1", "bic": null }));
        whole["covers"] = json!(covers);
        whole["shown"] = shown.clone();
        whole["requester"] = "mara".into();
        let more = Subject { covers: &covers, shown: Some(&shown), requester: Some("mara"), ..plain };
        assert_eq!(more.digest().unwrap(), digest(&whole));
    }
}
