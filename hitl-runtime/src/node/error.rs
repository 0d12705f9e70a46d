//! The error type of nodes.

use std::{error::Error as StdError, fmt};

use crate::text;

/// The error of a node: any [`std::error::Error`], or a message.
///
/// `?` converts every error into a `NodeError`, also `Box<dyn Error + Send + Sync>`, `anyhow::Error`, `String` and
/// `&str`. An effect that fails leaves its thread in doubt, because an error does
/// not say whether the effect happened. A node that knows that it did not happen returns [`NodeError::not_done`].
///
/// ```
/// use hitl::NodeError;
///
/// fn read() -> Result<String, NodeError> {
///     let text = std::fs::read_to_string("/nowhere")?;
///     if text.is_empty() {
///         Err("the file is empty")?;
///     }
///     Ok(text)
/// }
/// assert!(read().is_err());
/// ```
pub struct NodeError {
    kind: Kind,
    not_done: bool,
}

enum Kind {
    Said(String),
    Caused(Box<dyn StdError + Send + Sync>),
}

impl NodeError {
    /// Creates an error from a message.
    pub fn msg(text: impl fmt::Display) -> Self {
        Self { kind: Kind::Said(text.to_string()), not_done: false }
    }

    /// Creates an error from another error.
    pub fn new(error: impl StdError + Send + Sync + 'static) -> Self {
        Self { kind: Kind::Caused(Box::new(error)), not_done: false }
    }

    /// Creates an error from a message and asserts that the effect did not happen, so that the thread is not left in
    /// doubt.
    ///
    /// ```
    /// use hitl::NodeError;
    ///
    /// /// Before the request is sent, nothing has happened; after that, the outcome is unknown.
    /// fn check(balance: u64, wanted: u64) -> Result<(), NodeError> {
    ///     if balance < wanted { Err(NodeError::not_done("the balance does not cover it")) } else { Ok(()) }
    /// }
    /// assert!(check(10, 20).is_err_and(|error| error.is_not_done()));
    /// assert!(!NodeError::msg("the connection broke").is_not_done());
    /// ```
    pub fn not_done(text: impl fmt::Display) -> Self {
        Self { kind: Kind::Said(text.to_string()), not_done: true }
    }

    /// Returns whether the node asserts that its effect did not happen.
    pub fn is_not_done(&self) -> bool {
        self.not_done
    }

    pub(crate) fn missing(field: &str) -> Self {
        Self {
            not_done: true,
            ..Self::msg(format_args!("`{field}` is not written: the thread comes from another graph"))
        }
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Said(text) => f.write_str(text),
            Kind::Caused(error) => f.write_str(&text::causes(error.as_ref())),
        }
    }
}

impl fmt::Debug for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Converts every error, also a boxed one and that of a crate such as `anyhow`, and a text.
impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for NodeError {
    fn from(error: E) -> Self {
        Self { kind: Kind::Caused(error.into()), not_done: false }
    }
}
