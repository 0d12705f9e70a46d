//! What a thread knows: typed slots, one for each field, filled as nodes finish.
//!
//! `#[state]` implements both traits; nobody writes them by hand.

use std::{any::Any, fmt};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    graph::StateSpec,
    guard::{Broken, guarded},
    review::Violation,
};

/// A struct that `#[state]` has described. Its fields are never `Option`: the graph proves when each is set.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state",
    label = "not a state",
    note = "put `#[hitl::state]` on the struct"
)]
pub trait State: Sized + Send + Sync + 'static {
    /// The same fields, each an `Option`: what is known so far.
    type Fields: Fields;
    /// The `#[input]` fields: what `start` takes.
    type Input: Serialize + DeserializeOwned + Send + 'static;
    /// The `#[output]` field, a tuple of them where there are several, `()` where there is none.
    type Output: Send + 'static;
    /// The static description that the graph's proof reads.
    const SPEC: StateSpec;

    /// The outputs, when every one of them is written.
    fn output(fields: Self::Fields) -> Option<Self::Output>;

    /// The inputs by their names.
    #[doc(hidden)]
    fn inputs(input: &Self::Input) -> Vec<(&'static str, &dyn Any)> {
        let _ = input;
        Vec::new()
    }

    /// Brings the fields of one write, as JSON, from an older version of the state to this one.
    ///
    /// # Errors
    /// When the function behind `#[state(migrate = …)]` says so.
    fn migrate(from: u32, fields: &str) -> Result<String, String> {
        let _ = from;
        Ok(fields.to_owned())
    }
}

/// Slots for the fields of a [`State`], addressed by name and filled from JSON.
pub trait Fields: Default + Send + Sync + 'static {
    /// Writes a field as a node does: into an empty slot, or through the field's reducer.
    ///
    /// # Errors
    /// When the state has no such field, or the JSON is not of the field's type.
    fn write(&mut self, field: &str, json: &str) -> Result<(), FieldError>;

    /// Puts a value in place of what is there, reducer or not, as an edit does.
    ///
    /// # Errors
    /// As [`Fields::write`].
    fn replace(&mut self, field: &str, json: &str) -> Result<(), FieldError>;

    /// The field as JSON; `None` while nothing has written it.
    ///
    /// # Errors
    /// When the state has no such field, or its value has no JSON form.
    fn read(&self, field: &str) -> Result<Option<String>, FieldError>;

    /// Holds a field's value, where its type is a [`Draft`](crate::review::Draft), against what comes out of its JSON.
    ///
    /// # Errors
    /// When that is another value: a part of it is not written, or not read as it was written.
    #[doc(hidden)]
    fn comes_back(field: &str, value: &dyn Any, json: &str) -> Result<(), FieldError> {
        let _ = (field, value, json);
        Ok(())
    }
}

/// Why a field could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name, as given.
    pub field: String,
    /// Where inside its value; empty for the value as a whole.
    pub path: String,
    /// What was wrong there.
    pub problem: String,
    /// The user's code that panicked or failed there: `reducer`, `serializer`, `deserializer`.
    pub(crate) code: Option<&'static str>,
}

impl FieldError {
    /// A field that the state does not have.
    pub fn unknown(field: &str) -> Self {
        Self::value(field, "the state has no such field")
    }

    /// A value that is not of the field's type, or has no JSON form.
    pub fn value(field: &str, problem: impl fmt::Display) -> Self {
        Self { field: field.to_owned(), path: String::new(), problem: problem.to_string(), code: None }
    }

    /// A field whose own code panicked or failed.
    pub(crate) fn broken(code: &'static str, field: &str, problem: impl fmt::Display) -> Self {
        Self { code: Some(code), ..Self::value(field, problem) }
    }

    /// What of the user's code is broken, where that is what was wrong.
    pub(crate) fn as_broken(&self) -> Option<Broken> {
        let place = format!("{} of `{}`", self.code?, self.field);
        Some(Broken { place, problem: self.problem.clone() })
    }

    /// What is wrong with a field's value, or a part of it.
    pub(crate) fn violated(field: &str, Violation { path, message }: Violation) -> Self {
        Self::value(field, message).at(path)
    }

    /// The same, of a part of the value.
    #[must_use]
    pub fn at(self, path: String) -> Self {
        Self { path, ..self }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(broken) = self.as_broken() {
            return fmt::Display::fmt(&broken, f);
        }
        let Self { field, path, problem, .. } = self;
        match path.as_str() {
            "" => write!(f, "field `{field}`: {problem}"),
            path => write!(f, "field `{field}`: {path}: {problem}"),
        }
    }
}

impl std::error::Error for FieldError {}

/// Joins what a field holds with what is written to it: what `#[reduce(…)]` calls.
///
/// # Errors
/// When the reducer panics.
pub fn reduce<T>(field: &str, reducer: fn(T, T) -> T, old: T, new: T) -> Result<T, FieldError> {
    guarded(|| place("reducer", field), || reducer(old, new))
        .map_err(|broken| FieldError::broken("reducer", field, broken.problem))
}

/// The code of a field, in words.
pub(crate) fn place(code: &str, field: &str) -> String {
    format!("{code} of `{field}`")
}

/// Joins two lists: what `#[reduce(append)]` calls.
pub fn append<T>(mut old: Vec<T>, new: Vec<T>) -> Vec<T> {
    old.extend(new);
    old
}
