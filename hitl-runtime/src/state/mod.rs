//! The state of a thread: the values of its fields, written as nodes finish.
//!
//! Only `#[state]` implements [`State`]: it is sealed.

mod slots;
mod table;

use std::{any::Any, fmt};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Violation,
    graph::StateSpec,
    sealed::SealedState,
    user_code::{UserCodeError, catch_panic},
};

pub(crate) use slots::ReadBack;
pub use slots::Slots;
pub use table::{
    CheckRoundTrip, Erased, FieldTable, FieldType, Reduce, StateTable, reduce_erased, unmigrated,
};

/// A struct with the attribute `#[state]`. Its fields are never `Option`: the graph proves when each is set.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state",
    label = "not a state",
    note = "put `#[hitl::state]` on the struct; if it is a `#[draft]`, it is the type of a field, and the state another struct"
)]
pub trait State: SealedState + Sized + Send + Sync + 'static {
    /// The same fields, each an `Option`: the values known so far.
    type Fields: Send + Sync + 'static;
    /// The same fields, each a reference to an `Option`, for nodes and `match`es.
    type View<'a>: View;
    /// The `#[input]` fields, which `start` takes.
    type Input: Serialize + DeserializeOwned + Send + 'static;
    /// The `#[output]` field: a tuple if there are several, `()` if there is none.
    type Output: Send + 'static;
    /// The static description that the graph's proof reads.
    const SPEC: StateSpec;
    /// The description with the functions of the fields' types.
    const TABLE: &'static StateTable;

    /// Returns references to the values of the fields.
    ///
    /// # Errors
    /// If a value is not of its field's type.
    fn view(slots: &Slots) -> Result<Self::View<'_>, FieldError>;

    /// Returns the values of the fields.
    ///
    /// # Errors
    /// If a value is not of its field's type.
    fn fields(slots: Slots) -> Result<Self::Fields, FieldError>;

    /// Returns the outputs if all of them are written.
    fn output(fields: Self::Fields) -> Option<Self::Output>;

    /// Returns the inputs with their names.
    #[doc(hidden)]
    fn inputs(input: &Self::Input) -> Vec<(&'static str, &dyn Any)> {
        let _ = input;
        Vec::new()
    }
}

/// References to the values of a state's fields.
pub trait View {
    /// The state.
    const STATE: &'static StateTable;
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

    /// Creates the error for a field that must be written, and is not.
    pub(crate) fn unwritten(field: &str) -> Self {
        Self::value(field, "it is not written")
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
