//! What the macros' output names. Not for people: it changes without notice.

pub use ::schemars;
pub use ::serde;
pub use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use std::{any::Any, marker::PhantomData};

pub use crate::{
    Error, Violation,
    graph::*,
    journal::{Map, migrate::migrated},
    review::{Comparison, Draft, Reviewed},
    run::{
        AnyReview, Args, CanAsk, CanEdit, Graph, NoAsk, NoEdit, Node, NodeEntry, NodeError, NodeFuture,
        Outlook, Provides, Run, Writes, several, specs,
    },
    state::{FieldError, Fields, State, append, reduce},
};
use crate::{guard::guarded, journal::finite, state::place};

/// A field's value out of its JSON.
///
/// # Errors
/// When the JSON is not of the field's type, or its `Deserialize` panics.
pub fn decode<T: DeserializeOwned>(field: &str, json: &str) -> Result<T, FieldError> {
    // The path costs time, and is needed only where there is something to say.
    let code = || {
        serde_json::from_str(json).map_err(|error| match crate::review::read::<T>(json) {
            Err(Violation { path, message }) => FieldError::value(field, message).at(path),
            Ok(_) => FieldError::value(field, error),
        })
    };
    guarded(|| place("deserializer", field), code)
        .unwrap_or_else(|broken| Err(FieldError::broken("deserializer", field, broken.problem)))
}

/// Puts a value out of its JSON in place of what the slot holds.
///
/// # Errors
/// As [`decode`], and when the `Drop` of what was there panics.
pub fn set<T: DeserializeOwned>(slot: &mut Option<T>, field: &str, json: &str) -> Result<(), FieldError> {
    let new = decode(field, json)?;
    guarded(|| place("destructor", field), || *slot = Some(new))
        .map_err(|broken| FieldError::broken("destructor", field, broken.problem))
}

/// A field's value as JSON.
///
/// # Errors
/// When it has no JSON form, or its `Serialize` panics.
pub fn encode<T: Serialize>(field: &str, value: Option<&T>) -> Result<Option<String>, FieldError> {
    let Some(value) = value else { return Ok(None) };
    let code = || serde_json::to_string(value).map(|json| (finite::check(value, &json), json));
    let problem = match guarded(|| place("serializer", field), code) {
        Ok(Ok((Ok(()), json))) => return Ok(Some(json)),
        // A reducer made it: what a node writes is looked at before.
        Ok(Ok((Err(none), _))) => return Err(FieldError::violated(field, none.into())),
        Ok(Err(error)) => format!("failed: {error}"),
        Err(broken) => broken.problem,
    };
    Err(FieldError::broken("serializer", field, problem))
}

/// Keeps the first field that a node gives back. `_slot` only ties the value's type to the field's.
///
/// # Errors
/// When the value has no JSON form, or does not come back out of it.
pub fn keep<F: Fields, T: Serialize + 'static>(
    fields: &F,
    slot: &Option<T>,
    field: &'static str,
    value: &T,
) -> Result<Writes, NodeError> {
    keep_too(Writes::default(), fields, slot, field, value)
}

/// Keeps another one.
///
/// # Errors
/// As [`keep`].
pub fn keep_too<F: Fields, T: Serialize + 'static>(
    earlier: Writes,
    _fields: &F,
    _slot: &Option<T>,
    field: &'static str,
    value: &T,
) -> Result<Writes, NodeError> {
    let json = guarded(|| place("serializer", field), || crate::review::encode_raw(value))
        .map_err(NodeError::msg)?
        .map_err(|e| NodeError::msg(FieldError::violated(field, e)))?;
    guarded(|| place("deserializer", field), || F::comes_back(field, value, json.get()))
        .map_err(NodeError::msg)?
        .map_err(NodeError::msg)?;
    Ok(earlier.set(field, json))
}

/// A field's type. Which of the two methods of this name it has is asked of rustc where the type is known: a
/// [`Draft`]'s compares, every other type's does nothing.
pub struct Back<T>(PhantomData<fn() -> T>);

impl<T> Back<T> {
    /// Of a type.
    pub const OF: Self = Self(PhantomData);
}

/// Of a type that is a [`Draft`].
pub trait DraftBack {
    /// Compares a value with what comes out of its JSON.
    ///
    /// # Errors
    /// When that is another value.
    fn comes_back(&self, field: &str, value: &dyn Any, json: &str) -> Result<(), FieldError>;
}

impl<T: Draft + 'static> DraftBack for Back<T> {
    fn comes_back(&self, field: &str, value: &dyn Any, json: &str) -> Result<(), FieldError> {
        let Some(value) = value.downcast_ref::<T>() else { return Ok(()) };
        crate::review::same(value, json).map_err(|violation| FieldError::violated(field, violation))
    }
}

/// Of any other type.
pub trait OtherBack {
    /// Compares nothing.
    ///
    /// # Errors
    /// Never.
    fn comes_back(&self, field: &str, value: &dyn Any, json: &str) -> Result<(), FieldError>;
}

impl<T> OtherBack for &Back<T> {
    fn comes_back(&self, _: &str, _: &dyn Any, _: &str) -> Result<(), FieldError> {
        Ok(())
    }
}

/// What is kept of a node that gives nothing back.
///
/// # Errors
/// Never: it stands where a field would be kept.
pub fn kept_nothing() -> Result<Writes, NodeError> {
    Ok(Writes::default())
}

/// Awaits a node and keeps what it gives back: one body for all nodes, so that none of them needs its own.
pub fn call<'a, F, T, E>(
    node: F,
    keep: impl FnOnce(T) -> Result<Writes, NodeError> + Send + 'a,
) -> NodeFuture<'a>
where
    F: Future<Output = Result<T, E>> + Send + 'a,
    NodeError: From<E>,
{
    Box::pin(async move { keep(node.await?) })
}

/// What a `for` goes through.
#[diagnostic::on_unimplemented(
    message = "a `for` takes one `{Item}` after the other out of a `Vec<{Item}>`, and this is a `{Self}`",
    label = "no list of `{Item}`",
    note = "the word before `in` is the field that holds the item, the word after it the field that holds the list"
)]
pub trait ListOf<Item> {}

impl<T> ListOf<T> for Vec<T> {}

/// The two words of a `for`. The item comes first, or rustc would take its type from the list.
pub struct ItemOf<'a, Item> {
    /// One of the list.
    pub item: &'a Item,
}

impl<Item> ItemOf<'_, Item> {
    /// Asks whether the other field is a list of it.
    pub fn list<List: ListOf<Item>>(&self, _: &List) {}
}

/// Requires of a field that a review shows, and that is signed with the draft, that it can be signed.
pub fn shown<T: crate::review::Draft>(_: &Option<T>) {}

/// A node that lacks a parameter.
pub fn missing<'a>(name: &'static str) -> NodeFuture<'a> {
    failed(NodeError::missing(name))
}

/// A node that cannot be called.
pub fn failed<'a>(error: NodeError) -> NodeFuture<'a> {
    Box::pin(std::future::ready(Err(error)))
}
