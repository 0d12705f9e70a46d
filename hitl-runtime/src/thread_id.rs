//! The name of a thread.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A thread's name, given by its user: `ticket-A-9133`. From 1 to 200 bytes of UTF-8 with no control character and
/// no white space at either end.
///
/// ```
/// use hitl::ThreadId;
///
/// assert!(ThreadId::new("ticket-A-9133").is_ok());
/// assert!(ThreadId::new("").is_err());
/// assert!(ThreadId::new("two\nlines").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadId(Arc<str>);

impl ThreadId {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 200;

    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, or holds what no name should.
    pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidThreadId> {
        let name = name.as_ref();
        if name.is_empty() {
            return Err(InvalidThreadId("it is empty"));
        }
        if name.len() > Self::MAX_BYTES {
            return Err(InvalidThreadId("it is longer than 200 bytes"));
        }
        if name.chars().any(char::is_control) {
            return Err(InvalidThreadId("it holds a control character"));
        }
        if name.trim() != name {
            return Err(InvalidThreadId("it starts or ends with white space"));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text names no thread.
///
/// ```
/// use hitl::{InvalidThreadId, ThreadId};
///
/// let error: InvalidThreadId = ThreadId::new("two\nlines").unwrap_err();
/// assert_eq!(error.to_string(), "a thread id is 1 to 200 bytes of plain text, and it holds a control character");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thread id is 1 to 200 bytes of plain text, and {0}")]
pub struct InvalidThreadId(&'static str);

impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for ThreadId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for ThreadId {
    type Err = InvalidThreadId;

    fn from_str(name: &str) -> Result<Self, InvalidThreadId> {
        Self::new(name)
    }
}

impl TryFrom<&str> for ThreadId {
    type Error = InvalidThreadId;

    fn try_from(name: &str) -> Result<Self, InvalidThreadId> {
        Self::new(name)
    }
}

impl TryFrom<String> for ThreadId {
    type Error = InvalidThreadId;

    fn try_from(name: String) -> Result<Self, InvalidThreadId> {
        Self::new(name)
    }
}

impl From<&Self> for ThreadId {
    fn from(id: &Self) -> Self {
        id.clone()
    }
}

impl Serialize for ThreadId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ThreadId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&name).map_err(serde::de::Error::custom)
    }
}
