//! Why a request was refused, for programs.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

use crate::{Error, StoreError};

/// Why a request was refused. Whatever it was, the thread stands as it stood before.
///
/// As JSON it is one object: what it says as `error`, its `code`, and the details beside them.
///
/// ```
/// use hitl::{Error, ThreadId, wire::Refusal};
///
/// let refusal = Refusal::from(Error::UnknownThread { thread: ThreadId::new("ticket-A-9133")? });
/// assert_eq!(refusal.status, 404);
/// assert_eq!(
///     serde_json::to_string(&refusal)?,
///     r#"{"error":"thread `ticket-A-9133` does not exist","code":"unknown_thread","thread":"ticket-A-9133"}"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Refusal {
    /// The HTTP status for it (RFC 9110).
    pub status: u16,
    /// A stable word for programs.
    pub code: &'static str,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// What a program wants to know besides, by name.
    pub details: Map<String, Value>,
}

impl Refusal {
    /// A refusal with no details.
    ///
    /// ```
    /// use hitl::wire::Refusal;
    ///
    /// let busy = Refusal::new(503, "draining", "this container is being stopped; ask again");
    /// assert!(busy.details.is_empty());
    /// ```
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: short(message.into()), details: Map::new() }
    }

    /// The same refusal with one detail more.
    ///
    /// ```
    /// use hitl::wire::Refusal;
    ///
    /// let refusal = Refusal::new(413, "too_large", "the payload is too large").detail("limit", 16_777_216);
    /// assert_eq!(refusal.details["limit"], 16_777_216);
    /// ```
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// A request that cannot be read.
    pub(crate) fn malformed(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }
}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("error", &self.message)?;
        map.serialize_entry("code", self.code)?;
        for (name, value) in &self.details {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let details = error.details().into_iter().map(|(name, value)| (name, shorter(value))).collect();
        Self { details, ..Self::new(status(&error), error.code(), error.to_string()) }
    }
}

/// An error names what was sent, which may be megabytes: so many characters of it are said.
fn short(mut text: String) -> String {
    const LONGEST: usize = 1_000;
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The same for all texts in a value, of whose lists the first are said.
fn shorter(value: Value) -> Value {
    const MOST: usize = 100;
    match value {
        Value::String(text) => Value::String(short(text)),
        Value::Array(list) => list.into_iter().take(MOST).map(shorter).collect(),
        Value::Object(map) => map.into_iter().map(|(name, value)| (name, shorter(value))).collect(),
        other => other,
    }
}

/// 4xx where the caller can mend it, 409 where the thread has moved on, 5xx where the house is at fault.
fn status(error: &Error) -> u16 {
    match error {
        Error::InvalidThreadId(_)
        | Error::InvalidInput { .. }
        | Error::Store(StoreError::BadPage(_) | StoreError::BadAppend { .. }) => 400,
        Error::RoleMissing { .. } | Error::BadOperator { .. } => 403,
        Error::UnknownThread { .. } | Error::NoSuchPlace { .. } => 404,
        Error::ThreadExists { .. }
        | Error::Stale { .. }
        | Error::AlreadyDecided { .. }
        | Error::Expired { .. }
        | Error::NotInDoubt { .. }
        | Error::GraphChanged { .. }
        | Error::UserCodeFailed { .. }
        | Error::OtherCode { .. }
        | Error::SignatureNotCarried { .. }
        | Error::EffectUnderWay { .. } => 409,
        Error::Invalid { .. }
        | Error::UnknownKey { .. }
        | Error::Unchanged { .. }
        | Error::BadVerdict { .. } => 422,
        Error::Damaged { .. } | Error::Unauthenticated { .. } => 500,
        Error::NoRandomness { .. } | Error::NotSetUp { .. } | Error::Store(_) => 503,
    }
}
