//! What exactly was signed, as 32 bytes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a review in canonical JSON (RFC 8785): the thread, the node, the place where the review was
/// opened, and the draft. Two reviews never share one, even where their drafts are alike.
///
/// ```
/// use hitl::Digest;
///
/// let digest: Digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".parse()?;
/// assert_eq!(digest, Digest::of(b"hello"));
/// assert_eq!(digest.short(), "2cf24dba");
/// assert_eq!(Digest::from_bytes(*digest.as_bytes()), digest);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The SHA-256 of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The SHA-256 of some bytes after one another.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        Self(hasher.finalize().into())
    }

    /// As it was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hexadecimal digits, for people to compare.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no digest.
///
/// ```
/// use hitl::{Digest, journal::ParseDigestError};
///
/// // The short form is for people: it names no review.
/// assert_eq!("2cf24dba".parse::<Digest>(), Err(ParseDigestError));
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
            let pair = std::str::from_utf8(pair).map_err(|_| ParseDigestError)?;
            if pair.starts_with('+') {
                return Err(ParseDigestError);
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ParseDigestError)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a digest is made of.
#[derive(Serialize)]
pub(crate) struct Subject<'a> {
    pub(crate) thread: &'a str,
    pub(crate) id: &'a str,
    pub(crate) node: &'a str,
    pub(crate) field: &'a str,
    pub(crate) place: u64,
    pub(crate) draft: &'a Value,
}

impl Subject<'_> {
    pub(crate) fn digest(&self) -> Result<Digest, DigestError> {
        exact(self.draft, &mut String::new())?;
        serde_json_canonicalizer::to_vec(self)
            .map(|bytes| Digest::of(&bytes))
            .map_err(|e| DigestError { path: self.field.to_owned(), problem: e.to_string() })
    }
}

/// A draft that has no canonical JSON.
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
    /// What is wrong there.
    pub problem: String,
}

/// RFC 8785 writes every number as a double. Two integers beyond 2^53 would then share a digest, and an operator
/// would sign one and get the other, so such a number cannot be signed.
fn exact(value: &Value, path: &mut String) -> Result<(), DigestError> {
    const LIMIT: u64 = 1 << 53;
    match value {
        Value::Number(n) if !n.is_f64() => {
            let magnitude = n.as_u64().or_else(|| n.as_i64().map(i64::unsigned_abs));
            if magnitude.is_some_and(|m| m <= LIMIT) {
                return Ok(());
            }
            Err(DigestError {
                path: path.clone(),
                problem: format!(
                    "{n} is beyond 2^53, where canonical JSON is no longer exact; make it a string"
                ),
            })
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(i, item)| {
            let length = path.len();
            path.push_str(&format!("[{i}]"));
            exact(item, path)?;
            path.truncate(length);
            Ok(())
        }),
        Value::Object(map) => map.iter().try_for_each(|(key, item)| {
            let length = path.len();
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
            exact(item, path)?;
            path.truncate(length);
            Ok(())
        }),
        _ => Ok(()),
    }
}
