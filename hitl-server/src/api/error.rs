//! Errors of requests, for programs.

use hitl_runtime::{Error, ErrorKind};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

/// An error response: the request was refused, and the thread is unchanged.
///
/// It is serialized as a JSON object with the message as `error`, the `code`, and the details as further members.
///
/// ```
/// use hitl::{Error, ThreadId, api::ApiError};
///
/// let error = ApiError::from(Error::UnknownThread { thread: ThreadId::new("ticket-A-9133")? });
/// assert_eq!(error.status, 404);
/// assert_eq!(
///     serde_json::to_string(&error)?,
///     r#"{"error":"thread `ticket-A-9133` does not exist","code":"unknown_thread","thread":"ticket-A-9133"}"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status (RFC 9110).
    pub status: u16,
    /// A stable identifier of the error for programs.
    pub code: &'static str,
    /// The problem and its solution, for people.
    pub message: String,
    /// Further data for programs, by name.
    pub details: Map<String, Value>,
}

impl ApiError {
    /// Creates an error without details.
    ///
    /// ```
    /// use hitl::api::ApiError;
    ///
    /// let busy = ApiError::new(503, "busy", "this server has reached a limit; retry");
    /// assert!(busy.details.is_empty());
    /// ```
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: truncate(message.into()), details: Map::new() }
    }

    /// Adds a detail.
    ///
    /// ```
    /// use hitl::api::ApiError;
    ///
    /// let error = ApiError::new(413, "too_large", "the payload is too large").detail("limit", 16_777_216);
    /// assert_eq!(error.details["limit"], 16_777_216);
    /// ```
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Replaces the message of a 503: a store's errors may name accounts, roles and files, so they go to the log only.
    #[cfg(feature = "http")]
    pub(crate) fn redacted(self) -> Self {
        if self.status != 503 {
            return self;
        }
        tracing::error!(code = self.code, "{self}");
        let message = "temporarily unavailable, the log of this container has the cause: get the status of the thread, or \
                       retry later";
        Self { details: self.details, ..Self::new(503, self.code, message) }
    }

    /// Creates an error of a request that cannot be parsed.
    pub(crate) fn malformed(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }
}

impl Serialize for ApiError {
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

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        // The caller, perhaps a customer, need not know who stopped all threads, and why: the action `stops` tells that.
        if let Error::Stopped { thread, scope, .. } = &error {
            let message = format!(
                "thread `{thread}` was not started: {scope} is stopped; start it when the stop is lifted"
            );
            return Self::new(status(&error), error.code(), message)
                .detail("thread", thread.as_str())
                .detail("scope", scope.as_str());
        }
        let details =
            error.details().into_iter().map(|(name, value)| (name, truncate_values(value))).collect();
        Self { details, ..Self::new(status(&error), error.code(), error.to_string()) }
    }
}

/// Shortens a message to 1,000 characters, because errors quote their input, which may be megabytes long.
fn truncate(mut text: String) -> String {
    const MAX_CHARS: usize = 1_000;
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Shortens all strings in a value, and lists to their first 100 items.
fn truncate_values(value: Value) -> Value {
    const MAX_ITEMS: usize = 100;
    match value {
        Value::String(text) => Value::String(truncate(text)),
        Value::Array(list) => list.into_iter().take(MAX_ITEMS).map(truncate_values).collect(),
        Value::Object(map) => map.into_iter().map(|(name, value)| (name, truncate_values(value))).collect(),
        other => other,
    }
}

/// Returns the HTTP status of an error: 409 if the thread's state conflicts with the request, other 4xx for errors that
/// the caller can correct, and 5xx for errors of the server.
fn status(error: &Error) -> u16 {
    match error.kind() {
        ErrorKind::Malformed => 400,
        // The text is for the log only.
        _ if matches!(error, Error::Store(_)) => 503,
        ErrorKind::Forbidden => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::Conflict | ErrorKind::Busy | ErrorKind::UserCode => 409,
        ErrorKind::Invalid => 422,
        ErrorKind::Misconfigured | ErrorKind::Unavailable => 503,
        _ => 500,
    }
}
