//! What the macros' output names. Not for people: it changes without notice.

pub use ::serde;
pub use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};

pub use crate::{
    Error,
    graph::*,
    review::Reviewed,
    run::{
        AnyReview, Args, CanAsk, Graph, Interrupt, NoAsk, Node, NodeEntry, NodeError, Outlook, Provides, Run,
        Writes, several, specs,
    },
    state::{FieldError, Fields, State, append},
};

/// A field's value out of its JSON.
///
/// # Errors
/// When the JSON is not of the field's type.
pub fn decode<T: DeserializeOwned>(field: &str, json: &str) -> Result<T, FieldError> {
    serde_json::from_str(json).map_err(|e| FieldError::value(field, e))
}

/// A field's value as JSON.
///
/// # Errors
/// When it has no JSON form.
pub fn encode<T: Serialize>(field: &str, value: Option<&T>) -> Result<Option<String>, FieldError> {
    value.map(|value| serde_json::to_string(value).map_err(|e| FieldError::value(field, e))).transpose()
}

/// Awaits a node and keeps what it gives back: one body for all nodes, so that none of them needs its own.
pub fn call<'a, F, T, E>(
    node: F,
    keep: impl FnOnce(T) -> Result<Writes, NodeError> + Send + 'a,
) -> BoxFuture<'a, Result<Writes, NodeError>>
where
    F: Future<Output = Result<T, E>> + Send + 'a,
    NodeError: From<E>,
{
    Box::pin(async move { keep(node.await?) })
}

/// A node that lacks a parameter.
pub fn missing<'a>(name: &'static str) -> BoxFuture<'a, Result<Writes, NodeError>> {
    failed(NodeError::missing(name))
}

/// A node that cannot be called.
pub fn failed<'a>(error: NodeError) -> BoxFuture<'a, Result<Writes, NodeError>> {
    Box::pin(std::future::ready(Err(error)))
}
