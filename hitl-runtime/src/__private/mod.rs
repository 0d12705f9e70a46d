//! Items for the code that the macros generate. Not part of the public API: they change without notice.

pub mod words;

pub use ::schemars;
pub use ::serde;
pub use futures_util::future::BoxFuture;
use std::{any::Any, fmt, marker::PhantomData, time::Duration};

pub use crate::{
    Error, Violation,
    agent::{AnyReview, CanAsk, CanEdit, Graph, NoAsk, NoEdit, ThreadState, several},
    graph::*,
    journal::{Map, Runs, migrate::migrated},
    node::conversion::{Bound, Conversion, SignedField, Taken, Written},
    node::{
        Args, ErasedArgs, Node, NodeEntry, NodeError, NodeFuture, NodeTable, Provides, ReviewExpressions,
        Run, Writes, specs,
    },
    review::{Comparison, Draft, DraftVtable},
    sealed::{SealedGraph, SealedNode, SealedState},
    state::{FieldError, FieldTable, Slots, State, StateTable, View, append, reduce_erased, unmigrated},
};
use crate::{state::describe_code, user_code::catch_panic};

/// The traits by which method resolution selects a conversion.
pub mod conversion_traits {
    // Without names, so that they do not hide the user's types.
    pub use crate::node::conversion::{
        Dereferenced as _, DereferencedTwice as _, OtherValue as _, SameType as _, SignedValue as _,
        Sliced as _, UnlikeBinding as _, UnlikeField as _, UnlikeOutput as _, UnlikeSigned as _,
        WholeOption as _,
    };
}

/// Serializes the first field that a node returns.
///
/// # Errors
/// If the value has no JSON form, or is a draft that does not round-trip through it.
pub fn write_first<F: View, T: 'static>(
    fields: &F,
    field: &'static str,
    value: &T,
) -> Result<Writes, NodeError> {
    write_next(Writes::default(), fields, field, value)
}

/// Serializes another field that a node returns, and adds it to `earlier`.
///
/// # Errors
/// As [`write_first`].
pub fn write_next<F: View, T: 'static>(
    earlier: Writes,
    _fields: &F,
    field: &'static str,
    value: &T,
) -> Result<Writes, NodeError> {
    let table = F::STATE.field(field).ok_or_else(|| NodeError::msg(FieldError::unknown(field)))?;
    let json = catch_panic(|| describe_code("serializer", field), || (table.write)(field, value))
        .map_err(NodeError::msg)?
        .map_err(NodeError::msg)?;
    catch_panic(
        || describe_code("deserializer", field),
        || (table.check_round_trip)(field, value, json.get()),
    )
    .map_err(NodeError::msg)?
    .map_err(NodeError::msg)?;
    Ok(earlier.set(field, json))
}

/// A marker for the type of a field, by which method resolution selects one of two methods `check_round_trip`: that of
/// [`DraftRoundTrip`] if the type is a [`Draft`], or else that of [`OtherRoundTrip`].
pub struct RoundTrip<T>(PhantomData<fn() -> T>);

impl<T> RoundTrip<T> {
    /// The marker of a type.
    pub const MARKER: Self = Self(PhantomData);
}

/// The round-trip check for a type that is a [`Draft`].
pub trait DraftRoundTrip {
    /// Compares a value with the one deserialized from its JSON.
    ///
    /// # Errors
    /// If they differ.
    fn check_round_trip(&self, field: &str, value: &dyn Any, json: &str) -> Result<(), FieldError>;
}

impl<T: Draft + 'static> DraftRoundTrip for RoundTrip<T> {
    fn check_round_trip(&self, field: &str, value: &dyn Any, json: &str) -> Result<(), FieldError> {
        let Some(value) = value.downcast_ref::<T>() else { return Ok(()) };
        crate::review::check_round_trip(value, json)
            .map_err(|violation| FieldError::from_violation(field, violation))
    }
}

/// The round-trip check for any other type: none.
pub trait OtherRoundTrip {
    /// Accepts any value.
    ///
    /// # Errors
    /// Never.
    fn check_round_trip(&self, field: &str, value: &dyn Any, json: &str) -> Result<(), FieldError>;
}

impl<T> OtherRoundTrip for &RoundTrip<T> {
    fn check_round_trip(&self, _: &str, _: &dyn Any, _: &str) -> Result<(), FieldError> {
        Ok(())
    }
}

/// The fields of an input, by which method resolution selects one of two methods `write_input`: that of [`KnownInput`] if serde
/// knows their types, or else that of [`OtherInput`].
#[derive(Debug)]
pub struct InputCode<T>(pub T);

/// The serialization of an input.
pub trait KnownInput {
    /// Serializes the input.
    ///
    /// # Errors
    /// As the serializer.
    fn write_input<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

impl<T: serde::Serialize> KnownInput for InputCode<T> {
    fn write_input<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// The serialization of an input with a type that serde does not know. `#[state]` reports it, so such a program does not
/// compile.
pub trait OtherInput {
    /// Fails.
    ///
    /// # Errors
    /// Always.
    fn write_input<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

impl<T> OtherInput for &InputCode<T> {
    fn write_input<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(NOT_FIELD_TYPE))
    }
}

const NOT_FIELD_TYPE: &str = "the input has a field of a type that is not `Serialize` and `Deserialize`";

/// A marker for the type of an input's fields, by which method resolution selects one of two methods `read_input`: that of
/// [`KnownInputType`] if serde knows their types, or else that of [`OtherInputType`].
#[derive(Debug)]
pub struct InputType<T>(PhantomData<fn() -> T>);

impl<T> InputType<T> {
    /// The marker of a type.
    pub const MARKER: Self = Self(PhantomData);
}

/// The deserialization of an input.
pub trait KnownInputType<T> {
    /// Deserializes the input.
    ///
    /// # Errors
    /// As the deserializer.
    fn read_input<'de, D: serde::Deserializer<'de>>(&self, deserializer: D) -> Result<T, D::Error>;
}

impl<T: serde::de::DeserializeOwned> KnownInputType<T> for InputType<T> {
    fn read_input<'de, D: serde::Deserializer<'de>>(&self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(deserializer)
    }
}

/// The deserialization of an input with a type that serde does not know. `#[state]` reports it, so such a program does
/// not compile.
pub trait OtherInputType<T> {
    /// Fails.
    ///
    /// # Errors
    /// Always.
    fn read_input<'de, D: serde::Deserializer<'de>>(&self, deserializer: D) -> Result<T, D::Error>;
}

impl<T> OtherInputType<T> for &InputType<T> {
    fn read_input<'de, D: serde::Deserializer<'de>>(&self, _: D) -> Result<T, D::Error> {
        Err(serde::de::Error::custom(NOT_FIELD_TYPE))
    }
}

/// Returns the empty set of writes, for a node that returns nothing.
///
/// # Errors
/// Never: the signature is that of [`write_first`].
pub fn no_writes() -> Result<Writes, NodeError> {
    Ok(Writes::default())
}

/// Awaits a node and serializes its result: one generic body, so that the macros need not generate one for each node.
pub fn call_node<'a, F, T, E>(
    node: F,
    write: impl FnOnce(T) -> Result<Writes, NodeError> + Send + 'a,
) -> NodeFuture<'a>
where
    F: Future<Output = Result<T, E>> + Send + 'a,
    NodeError: From<E>,
{
    Box::pin(async move { write(node.await?) })
}

/// Returns what an arm binds.
///
/// # Errors
/// If the state has a value that is not of its field's type, or as the function of the arm.
pub fn bind<S: State>(slots: &Slots, arm: BindArm<S>) -> Result<Writes, NodeError> {
    arm(&S::view(slots).map_err(NodeError::not_done)?)
}

/// Runs the node of an arm that binds fields.
pub fn run_binding<S: State>(args: ErasedArgs<'_>, arm: BindArm<S>) -> NodeFuture<'_> {
    let slots = args.slots;
    Box::pin(async move { bind::<S>(slots, arm) })
}

/// The function of an arm that binds fields.
pub type BindArm<S> = for<'v> fn(&<S as State>::View<'v>) -> Result<Writes, NodeError>;

/// Returns the error of an arm whose pattern does not match: the value is not the one that the `match` has seen.
///
/// # Errors
/// Always.
pub fn unbound(field: &'static str) -> Result<Writes, NodeError> {
    Err(NodeError::not_done(format!("`{field}` no longer matches the pattern of the arm that was chosen")))
}

/// A list that a `for` can iterate over.
#[diagnostic::on_unimplemented(
    message = "a `for` with items of type `{Item}` iterates over a `Vec<{Item}>`, but this field is a `{Self}`",
    label = "not a list of `{Item}`",
    note = "the name before `in` is the field of the item, the name after it the field of the list: exchange them if they are the other way round"
)]
pub trait ListOf<Item> {}

impl<T> ListOf<T> for Vec<T> {}

/// A marker by which rustc checks the two fields of a `for`. The item comes first, or rustc would infer its type from
/// the list.
pub struct ItemOf<'a, Item> {
    /// A value of the type of the item field.
    pub item: &'a Item,
}

impl<Item> ItemOf<'_, Item> {
    /// Requires at compile time that the other field is a list of items.
    pub fn list<List: ListOf<Item>>(&self, _: &List) {}
}

/// Returns the name of a role, which must not be blank.
///
/// # Panics
/// If it is blank, with the message that rustc shows.
#[track_caller]
pub const fn role(name: &'static str) -> &'static str {
    assert!(!name.trim_ascii().is_empty(), "`role` must not be empty: `role = \"refund-approver\"`");
    name
}

/// Returns the time until a review expires, which must be at least a millisecond.
///
/// # Panics
/// If it is shorter, with the message that rustc shows.
#[track_caller]
pub const fn expiry(after: Duration) -> Duration {
    assert!(after.as_millis() > 0, "`expires` must be at least one millisecond: `expires = \"24h\"`");
    after
}

/// Requires that a field which a review shows, and signs with the draft, can be signed.
pub fn require_draft<T: crate::review::Draft>(_: &Option<T>) {}

/// Rejects a program, if rustc can evaluate the constant of which it is a part.
///
/// # Panics
/// Always, with the message that rustc shows.
#[track_caller]
pub const fn reject(message: &'static str) {
    panic!("{}", message);
}

/// Returns the future of a node whose required parameter is missing.
pub fn missing_parameter<'a>(name: &'static str) -> NodeFuture<'a> {
    failed_node(NodeError::missing(name))
}

/// Returns the future of a node that fails with `error`.
pub fn failed_node<'a>(error: NodeError) -> NodeFuture<'a> {
    Box::pin(std::future::ready(Err(error)))
}

/// Returns the future of a node whose state has a value that is not of its field's type.
pub fn unreadable_state<'a>(error: FieldError) -> NodeFuture<'a> {
    failed_node(NodeError::not_done(error))
}

impl<T> fmt::Debug for RoundTrip<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoundTrip").finish_non_exhaustive()
    }
}

impl<Item> fmt::Debug for ItemOf<'_, Item> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemOf").finish_non_exhaustive()
    }
}
