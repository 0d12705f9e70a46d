//! The static description of a state with the functions of its fields' types: all that the engine needs of a state
//! whose Rust type it does not know.

use std::{any::Any, fmt};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{FieldError, describe_code, reduce};
use crate::{Violation, graph::StateSpec, json::encode_raw, json::finite, user_code::catch_panic};

/// A state's description and functions. `#[state]` makes one, which is a constant.
pub struct StateTable {
    /// The description.
    pub spec: StateSpec,
    /// The functions of the fields' types, in the order of `spec.fields`.
    pub fields: &'static [FieldTable],
    /// Migrates the fields of one write, as JSON, from an older version of the state to this one. An error is of the
    /// function of `#[state(migrate = …)]`.
    pub migrate: fn(u32, &str) -> Result<String, String>,
}

impl StateTable {
    /// Returns the functions of a field's type.
    pub(crate) fn field(&self, name: &str) -> Option<&'static FieldTable> {
        self.fields.get(self.number(name)?)
    }

    /// Returns the number of a field.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.spec.fields.iter().position(|field| field.name == name)
    }

    /// Returns whether a reducer combines new values of a field with the old one.
    pub(crate) fn is_reduced(&self, name: &str) -> bool {
        self.spec.field(name).is_some_and(|field| field.reduced)
    }
}

/// Returns the fields of a write as they are: the migration of a state that has none.
///
/// # Errors
/// Never.
pub fn unmigrated(_from: u32, fields: &str) -> Result<String, String> {
    Ok(fields.to_owned())
}

/// A value of a field, as an `Option<T>` that is `Some`, so that a node can be given a reference to the `Option`.
pub type Erased = Box<dyn Any + Send + Sync>;

/// The functions of a field's type.
pub struct FieldTable {
    /// Decodes a value.
    pub decode: fn(&'static str, &str) -> Result<Erased, FieldError>,
    /// Encodes a value.
    pub encode: fn(&'static str, &(dyn Any + Send + Sync)) -> Result<String, FieldError>,
    /// Encodes a value that a node has returned, without an `Option` around it.
    pub write: fn(&'static str, &dyn Any) -> Result<Box<RawValue>, FieldError>,
    /// Combines the field's value with a new one. `None` if a new value replaces the old one.
    pub reduce: Option<Reduce>,
    /// Checks that a value that a program has made is the one that its JSON decodes to, if the type is a draft.
    pub check_round_trip: CheckRoundTrip,
}

/// A field's reducer: the old value and the new one.
pub type Reduce = fn(Erased, Erased) -> Result<Erased, FieldError>;

/// The comparison of a field's value with the one that its JSON decodes to.
pub type CheckRoundTrip = fn(&str, &dyn Any, &str) -> Result<(), FieldError>;

impl FieldTable {
    /// Creates the functions of a field of type `T`. No other code of a graph requires that `T` is a [`FieldType`], so
    /// that rustc reports a type that is none only once.
    pub const fn new<T>(reduce: Option<Reduce>, check_round_trip: CheckRoundTrip) -> Self
    where
        T: FieldType + Send + Sync + 'static,
    {
        Self {
            decode: decode_erased::<T>,
            encode: encode_erased::<T>,
            write: write_erased::<T>,
            reduce,
            check_round_trip,
        }
    }
}

// The trait has only the methods that are needed and no supertrait, so that rustc names this trait, with our message,
// and not those of serde behind it.

/// A type that a field of a state can have: serde converts its values to JSON and back.
#[diagnostic::on_unimplemented(
    message = "a field of a state cannot be of type `{Self}`, because the journal cannot keep its value as JSON",
    label = "not both `Serialize` and `Deserialize`",
    note = "if a person signs the value, put `#[hitl::draft]` on your type",
    note = "if not, put `#[derive(serde::Serialize, serde::Deserialize)]` on it"
)]
pub trait FieldType: Sized {
    #[doc(hidden)]
    fn decode(field: &str, json: &str) -> Result<Self, FieldError>;
    #[doc(hidden)]
    fn encode(&self, field: &str) -> Result<String, FieldError>;
    #[doc(hidden)]
    fn encode_raw(&self) -> Result<Box<RawValue>, Violation>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> FieldType for T {
    fn decode(field: &str, json: &str) -> Result<Self, FieldError> {
        decode(field, json)
    }

    fn encode(&self, field: &str) -> Result<String, FieldError> {
        encode(field, self)
    }

    fn encode_raw(&self) -> Result<Box<RawValue>, Violation> {
        encode_raw(self)
    }
}

/// Deserializes the value of a field from JSON.
///
/// # Errors
/// If the JSON is not of the field's type, or its `Deserialize` panics.
pub(crate) fn decode<T: DeserializeOwned>(field: &str, json: &str) -> Result<T, FieldError> {
    // Tracking the path inside the value costs time, so it is done only to describe an error.
    let code = || {
        serde_json::from_str(json).map_err(|error| match crate::json::read::<T>(json) {
            Err(Violation { path, message }) => FieldError::value(field, message).at(path),
            Ok(_) => FieldError::value(field, error),
        })
    };
    catch_panic(|| describe_code("deserializer", field), code)
        .unwrap_or_else(|error| Err(FieldError::user_code_failed("deserializer", field, error.problem)))
}

/// Serializes the value of a field to JSON.
///
/// # Errors
/// If the value has no JSON form, or its `Serialize` panics.
pub(crate) fn encode<T: Serialize>(field: &str, value: &T) -> Result<String, FieldError> {
    let code = || serde_json::to_string(value).map(|json| (finite::check(value, &json), json));
    let problem = match catch_panic(|| describe_code("serializer", field), code) {
        Ok(Ok((Ok(()), json))) => return Ok(json),
        // A reducer made it: what a node writes is looked at before.
        Ok(Ok((Err(none), _))) => return Err(FieldError::from_violation(field, none.into())),
        Ok(Err(error)) => format!("failed: {error}"),
        Err(error) => error.problem,
    };
    Err(FieldError::user_code_failed("serializer", field, problem))
}

/// Decodes a value of the type `T`.
///
/// # Errors
/// If the JSON is not of the type, or the type's deserializer panics.
fn decode_erased<T>(field: &'static str, json: &str) -> Result<Erased, FieldError>
where
    T: FieldType + Send + Sync + 'static,
{
    T::decode(field, json).map(erased)
}

/// Encodes a value of the type `T`.
///
/// # Errors
/// If the type's serializer fails or panics, or the value has no JSON.
fn encode_erased<T>(field: &'static str, value: &(dyn Any + Send + Sync)) -> Result<String, FieldError>
where
    T: FieldType + 'static,
{
    match value.downcast_ref::<Option<T>>() {
        Some(Some(value)) => value.encode(field),
        _ => Err(other_type(field)),
    }
}

/// Encodes a value of the type `T` that a node has returned.
///
/// # Errors
/// If the type's serializer fails, or the value has no JSON.
fn write_erased<T>(field: &'static str, value: &dyn Any) -> Result<Box<RawValue>, FieldError>
where
    T: FieldType + 'static,
{
    let value = value.downcast_ref::<T>().ok_or_else(|| other_type(field))?;
    value.encode_raw().map_err(|violation| FieldError::from_violation(field, violation))
}

/// Combines two values of the type `T`.
///
/// # Errors
/// If the reducer panics.
pub fn reduce_erased<T>(
    field: &'static str,
    reducer: fn(T, T) -> T,
    old: Erased,
    new: Erased,
) -> Result<Erased, FieldError>
where
    T: Send + Sync + 'static,
{
    let typed = |value: Erased| value.downcast::<Option<T>>().ok().and_then(|value| *value);
    let (Some(old), Some(new)) = (typed(old), typed(new)) else { return Err(other_type(field)) };
    reduce(field, reducer, old, new).map(erased)
}

fn erased<T: Send + Sync + 'static>(value: T) -> Erased {
    Box::new(Some(value))
}

/// Returns the error for a value of another type than the table's, which only a hand-written table can have.
pub(super) fn other_type(field: &str) -> FieldError {
    FieldError::value(field, "its value is of another type than its field")
}

impl fmt::Debug for StateTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateTable").field("name", &self.spec.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for FieldTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldTable").finish_non_exhaustive()
    }
}
