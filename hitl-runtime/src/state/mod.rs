//! The state of a thread: one typed slot per field, filled as nodes finish.
//!
//! `#[state]` implements both traits; do not implement them by hand.

use std::{any::Any, fmt};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    graph::StateSpec,
    review::Violation,
    user_code::{UserCodeError, catch_panic},
};

/// A struct with the attribute `#[state]`. Its fields are never `Option`: the graph proves when each is set.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state",
    label = "not a state",
    note = "put `#[hitl::state]` on the struct"
)]
pub trait State: Sized + Send + Sync + 'static {
    /// The same fields, each an `Option`: the values known so far.
    type Fields: Fields;
    /// The `#[input]` fields, which `start` takes.
    type Input: Serialize + DeserializeOwned + Send + 'static;
    /// The `#[output]` field: a tuple if there are several, `()` if there is none.
    type Output: Send + 'static;
    /// The static description that the graph's proof reads.
    const SPEC: StateSpec;

    /// Returns the outputs if all of them are written.
    fn output(fields: Self::Fields) -> Option<Self::Output>;

    /// Returns the inputs with their names.
    #[doc(hidden)]
    fn inputs(input: &Self::Input) -> Vec<(&'static str, &dyn Any)> {
        let _ = input;
        Vec::new()
    }

    /// Migrates the fields of one write, as JSON, from an older version of the state to this one.
    ///
    /// # Errors
    /// If the function of `#[state(migrate = …)]` fails.
    fn migrate(from: u32, fields: &str) -> Result<String, String> {
        let _ = from;
        Ok(fields.to_owned())
    }
}

/// Slots for the fields of a [`State`], addressed by name and filled from JSON.
pub trait Fields: Default + Send + Sync + 'static {
    /// Writes a field as a node does: through the field's reducer if it has one and the slot is filled, or else by
    /// setting the slot.
    ///
    /// # Errors
    /// If the state has no such field, or the JSON is not of the field's type.
    fn write(&mut self, field: &str, json: &str) -> Result<(), FieldError>;

    /// Replaces the value of a field, as an edit does, without its reducer.
    ///
    /// # Errors
    /// As [`Fields::write`].
    fn replace(&mut self, field: &str, json: &str) -> Result<(), FieldError>;

    /// Returns the field as JSON, or `None` if it is not written yet.
    ///
    /// # Errors
    /// If the state has no such field, or its value has no JSON form.
    fn read(&self, field: &str) -> Result<Option<String>, FieldError>;

    /// Checks that the value of a field round-trips through its JSON, if its type is a [`Draft`](crate::review::Draft).
    ///
    /// # Errors
    /// If the deserialized value differs: a part is not serialized, or not deserialized as it was.
    #[doc(hidden)]
    fn check_round_trip(field: &str, value: &dyn Any, json: &str) -> Result<(), FieldError> {
        let _ = (field, value, json);
        Ok(())
    }
}

/// An error in writing or reading a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The name of the field, as given.
    pub field: String,
    /// The path inside the value; empty for the value as a whole.
    pub path: String,
    /// A description of the problem.
    pub problem: String,
    /// The user code that panicked or failed: `reducer`, `serializer`, `deserializer`, `destructor`.
    pub(crate) code: Option<&'static str>,
}

impl FieldError {
    /// Creates the error for a field that the state does not have.
    pub fn unknown(field: &str) -> Self {
        Self::value(field, "the state has no such field")
    }

    /// Creates the error for a value that is not of the field's type, or has no JSON form.
    pub fn value(field: &str, problem: impl fmt::Display) -> Self {
        Self { field: field.to_owned(), path: String::new(), problem: problem.to_string(), code: None }
    }

    /// Creates the error for user code of a field that panicked or failed.
    pub(crate) fn user_code_failed(code: &'static str, field: &str, problem: impl fmt::Display) -> Self {
        Self { code: Some(code), ..Self::value(field, problem) }
    }

    /// Returns the user code that panicked or failed, if that is the cause.
    pub(crate) fn as_user_code_error(&self) -> Option<UserCodeError> {
        let place = format!("{} of `{}`", self.code?, self.field);
        Some(UserCodeError { place, problem: self.problem.clone() })
    }

    /// Creates the error for a violation in the value of a field.
    pub(crate) fn from_violation(field: &str, Violation { path, message }: Violation) -> Self {
        Self::value(field, message).at(path)
    }

    /// Sets the path of the affected part of the value.
    #[must_use]
    pub fn at(self, path: String) -> Self {
        Self { path, ..self }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = self.as_user_code_error() {
            return fmt::Display::fmt(&error, f);
        }
        let Self { field, path, problem, .. } = self;
        match path.as_str() {
            "" => write!(f, "field `{field}`: {problem}"),
            path => write!(f, "field `{field}`: {path}: {problem}"),
        }
    }
}

impl std::error::Error for FieldError {}

/// Combines the value of a field with a new one, for `#[reduce(…)]`.
///
/// # Errors
/// If the reducer panics.
pub fn reduce<T>(field: &str, reducer: fn(T, T) -> T, old: T, new: T) -> Result<T, FieldError> {
    catch_panic(|| describe_code("reducer", field), || reducer(old, new))
        .map_err(|error| FieldError::user_code_failed("reducer", field, error.problem))
}

/// Describes user code of a field for messages, such as ``reducer of `total` ``.
pub(crate) fn describe_code(code: &str, field: &str) -> String {
    format!("{code} of `{field}`")
}

/// Appends one list to another, for `#[reduce(append)]`.
pub fn append<T>(mut old: Vec<T>, new: Vec<T>) -> Vec<T> {
    old.extend(new);
    old
}
