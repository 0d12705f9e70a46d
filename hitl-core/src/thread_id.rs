//! The name of a thread, and the rules for it.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of the journal of stops.
const STOPS: &str = "hitl:stops";

/// The name of a thread, chosen by its user: `ticket-A-9133`. It has 1 to 200 bytes of UTF-8 in Unicode's composed form
/// (NFC), with no control or invisible character, no white space at either end, and no word that mixes scripts. These
/// rules keep out most names that could pass for another one; a word entirely in another script is allowed. Names that
/// begin with `hitl:` are reserved.
///
/// ```
/// use hitl::ThreadId;
///
/// assert!(ThreadId::new("ticket-A-9133").is_ok());
/// assert!(ThreadId::new("").is_err());
/// assert!(ThreadId::new("two\nlines").is_err());
/// assert!(ThreadId::new("ticket-A\u{200b}-9133").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schemars", schemars(transparent))]
pub struct ThreadId(#[cfg_attr(feature = "schemars", schemars(with = "String", length(min = 1)))] Arc<str>);

impl ThreadId {
    /// The maximum length of a name in bytes.
    pub const MAX_BYTES: usize = 200;

    /// Creates a thread id after validating the name.
    ///
    /// # Errors
    /// If the name is empty, too long, or could pass for another one.
    pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidThreadId> {
        let id = Self::existing(name)?;
        id.check_new()?;
        Ok(id)
    }

    /// Creates the id of a thread that may have been started before [`ThreadId::new`] had its present rules. Such a
    /// thread can be read, decided and resumed; no new thread can be started under such a name.
    ///
    /// ```
    /// use hitl::ThreadId;
    ///
    /// let old = "ticket-A\u{200b}-9133";
    /// assert!(ThreadId::new(old).is_err());
    /// assert_eq!(ThreadId::existing(old)?.as_str(), old);
    /// # Ok::<(), hitl::InvalidThreadId>(())
    /// ```
    ///
    /// # Errors
    /// If the name is empty, too long, contains a control character, or begins or ends with white space: no thread has
    /// ever had such a name.
    pub fn existing(name: impl AsRef<str>) -> Result<Self, InvalidThreadId> {
        let name = name.as_ref();
        if name.is_empty() {
            return Err(InvalidThreadId("is empty"));
        }
        if name.len() > Self::MAX_BYTES {
            return Err(InvalidThreadId("is longer than 200 bytes"));
        }
        if name.chars().any(char::is_control) {
            return Err(InvalidThreadId("contains a control character"));
        }
        if name.trim() != name {
            return Err(InvalidThreadId("starts or ends with white space"));
        }
        Ok(Self(name.into()))
    }

    /// Rejects a name under which no new thread may be started.
    #[doc(hidden)]
    pub fn check_new(&self) -> Result<(), InvalidThreadId> {
        if self.0.starts_with("hitl:") {
            return Err(InvalidThreadId("begins with `hitl:`, which is reserved"));
        }
        match crate::unicode::name_problem(&self.0) {
            Some(problem) => Err(InvalidThreadId(problem)),
            None => Ok(()),
        }
    }

    /// Returns the name of the journal of stops, which is not of a thread.
    #[doc(hidden)]
    pub fn of_stops() -> Self {
        Self(STOPS.into())
    }

    /// Returns whether the name is that of the journal of stops.
    #[doc(hidden)]
    pub fn is_reserved(&self) -> bool {
        &*self.0 == STOPS
    }

    /// Returns the name as a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A thread id, or a text that is validated as by [`ThreadId::new`]. Every method of an agent takes it: `&str`,
/// `String`, [`ThreadId`] and references to them.
///
/// The trait is sealed. A type of your own converts itself: `agent.turn(ticket.thread_id())`.
///
/// ```
/// use hitl::{IntoThreadId, InvalidThreadId, ThreadId};
///
/// fn length(thread: impl IntoThreadId) -> Result<usize, InvalidThreadId> {
///     Ok(thread.into_thread_id()?.as_str().len())
/// }
/// let id = ThreadId::new("ticket-A-9133")?;
/// assert_eq!((length("ticket-A-9133")?, length(&id)?, length(id)?), (13, 13, 13));
/// assert!(length(String::new()).is_err());
/// # Ok::<(), InvalidThreadId>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a thread id",
    note = "use a `&str`, a `String`, a `ThreadId`, or a reference to one of them"
)]
pub trait IntoThreadId: sealed::Sealed {
    /// Returns the thread id.
    ///
    /// # Errors
    /// As [`ThreadId::new`], for a text.
    fn into_thread_id(self) -> Result<ThreadId, InvalidThreadId>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for &str {}
    impl Sealed for String {}
    impl Sealed for &String {}
    impl Sealed for super::ThreadId {}
    impl Sealed for &super::ThreadId {}
}

impl IntoThreadId for &str {
    fn into_thread_id(self) -> Result<ThreadId, InvalidThreadId> {
        ThreadId::new(self)
    }
}

impl IntoThreadId for String {
    fn into_thread_id(self) -> Result<ThreadId, InvalidThreadId> {
        ThreadId::new(self)
    }
}

impl IntoThreadId for &String {
    fn into_thread_id(self) -> Result<ThreadId, InvalidThreadId> {
        ThreadId::new(self)
    }
}

impl IntoThreadId for ThreadId {
    fn into_thread_id(self) -> Result<Self, InvalidThreadId> {
        Ok(self)
    }
}

impl IntoThreadId for &ThreadId {
    fn into_thread_id(self) -> Result<ThreadId, InvalidThreadId> {
        Ok(self.clone())
    }
}

/// The error for a text that is not a valid thread name.
///
/// ```
/// use hitl::{InvalidThreadId, ThreadId};
///
/// let error: InvalidThreadId = ThreadId::new("two\nlines").unwrap_err();
/// assert_eq!(error.to_string(), "the thread id contains a control character; use 1 to 200 bytes of plain text");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the thread id {0}; use 1 to 200 bytes of plain text")]
pub struct InvalidThreadId(&'static str);

impl InvalidThreadId {
    /// Returns the rule that the name breaks, as a predicate: `is empty`.
    #[doc(hidden)]
    pub fn problem(&self) -> &'static str {
        self.0
    }
}

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
        // A stored name was valid when it was stored, perhaps under older rules.
        Self::existing(&name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_old_name_is_readable_but_starts_no_thread() {
        for old in ["a\u{200b}b", "p\u{430}y", "Jose\u{301}", "\u{2066}a", "a\u{ad}"] {
            assert!(ThreadId::new(old).is_err() && old.parse::<ThreadId>().is_err(), "{old:?}");
            let id = ThreadId::existing(old).unwrap();
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(serde_json::from_str::<ThreadId>(&json).unwrap(), id);
        }
        for never in ["", " a", "a\n", "a\u{85}b", &"x".repeat(201)] {
            assert!(ThreadId::existing(never).is_err(), "{never:?}");
        }
        assert!(ThreadId::new("ticket ü 订单").is_ok());
    }
}
