//! The checks of a draft by its type, its JSON Schema, and the violations that the checks report.

use std::fmt;

use garde::Validate;
use schemars::JsonSchema;
use serde_json::Value;

use super::{Draft, draft::Names, json_path::json_path, round_trip};
use crate::{
    Violation,
    user_code::{self, UserCodeError},
};

// The trait has only the one method that is needed and no supertrait, so that rustc names this trait, with our message,
// and not `garde::Validate` behind it.

/// A type with garde's `#[derive(Validate)]`. Its invariants are checked when a node returns it, when an operator edits
/// it and when a store loads it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is signed by a person, so it must be a draft that derives `Validate`",
    label = "`{Self}` has no checked invariants",
    note = "if the type is yours, add `#[derive(garde::Validate)]` to `{Self}`, and a rule or `#[garde(skip)]` to each of its fields",
    note = "if it is not yours, as `String` is not, let a person sign a `#[draft]` of yours with a field of type `{Self}`",
    note = "if it derives `Validate` already, the derive has failed: another error says at which field",
    note = "its invariants are checked when a node returns it, when an operator edits it and when a store loads it"
)]
pub trait DerivesValidate {
    #[doc(hidden)]
    fn check(&self) -> Result<(), garde::Report>;
}

#[diagnostic::do_not_recommend]
impl<T: Validate<Context = ()>> DerivesValidate for T {
    fn check(&self) -> Result<(), garde::Report> {
        self.validate()
    }
}

/// Calls code of the draft's type. A panic in it becomes a violation of the draft as a whole.
fn catch_draft_panic<T>(code: &str, call: impl FnOnce() -> T) -> Result<T, Vec<Violation>> {
    user_code::catch_panic(|| format!("{code} of the draft"), call).map_err(|broken| vec![broken.into()])
}

impl From<UserCodeError> for Violation {
    fn from(broken: UserCodeError) -> Self {
        Self { path: String::new(), message: broken.to_string() }
    }
}

/// A draft, and its JSON text that the journal keeps.
pub type DraftJson = (Value, String);

/// The functions that check and describe the draft before a node, independent of its type.
#[derive(Clone, Copy)]
pub struct DraftVtable {
    /// The check of a draft. It returns the draft as its type serializes it, or its violations.
    pub check: fn(&str) -> Result<Value, Vec<Violation>>,
    /// The check of a draft that a node has written. It also returns the JSON text that the journal keeps.
    pub write: fn(&str) -> Result<DraftJson, Vec<Violation>>,
    /// The JSON Schema of the draft's type.
    pub schema: fn() -> Value,
}

impl DraftVtable {
    /// Creates the functions for drafts of type `T`.
    pub const fn new<T>() -> Self
    where
        T: Draft + DerivesValidate + Send + Sync + 'static,
    {
        Self { check: check::<T>, write: write::<T>, schema: schema::<T> }
    }

    /// Creates the functions for the drafts in a field of the view `V`, which `_field` returns.
    pub const fn of<V, T>(_field: fn(V) -> &'static Option<T>) -> Self
    where
        T: Draft + DerivesValidate + Send + Sync + 'static,
    {
        Self::new::<T>()
    }

    /// Returns the JSON Schema of the draft in a field.
    pub(crate) fn schema_of(&self, field: &str) -> Result<Value, UserCodeError> {
        user_code::catch_panic(|| format!("schema of `{field}`"), self.schema)
    }
}

fn check<T: Draft + DerivesValidate>(json: &str) -> Result<Value, Vec<Violation>> {
    write::<T>(json).map(|(draft, _)| draft)
}

/// Reads and checks a draft. Wrong shapes, numbers that cannot be signed and broken invariants are all reported as
/// violations with their paths.
fn write<T: Draft + DerivesValidate>(json: &str) -> Result<DraftJson, Vec<Violation>> {
    let one = |violation| vec![violation];
    let draft = catch_draft_panic("deserializer", || round_trip::read_canonical::<T>(json))?.map_err(one)?;
    if let Err(report) = catch_draft_panic("validator", || draft.check())? {
        let read =
            || serde_json::to_value(&draft).or_else(|_| serde_json::from_str(json)).unwrap_or_default();
        let json = catch_draft_panic("serializer", read)?;
        // Without the schema, a path is less exact, so an error here is ignored.
        let schema = catch_draft_panic("schema", schema::<T>).ok();
        return Err(draft_violations(&draft, &report, &json, schema.as_ref()));
    }
    let written = catch_draft_panic("serializer", || round_trip::to_signable_json(&draft, json))?;
    catch_draft_panic("destructor", || drop(draft))?;
    written.map_err(one)
}

fn schema<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// Converts a report of garde to violations with their paths in the value's JSON.
pub(crate) fn violations(report: &garde::Report, json: &Value, schema: Option<&Value>) -> Vec<Violation> {
    violations_of(report, json, schema, &Names::default())
}

/// Converts a report of garde on a draft, whose fields may have other names in JSON.
pub(crate) fn draft_violations<T: Draft>(
    draft: &T,
    report: &garde::Report,
    json: &Value,
    schema: Option<&Value>,
) -> Vec<Violation> {
    let names = catch_draft_panic("comparison", || Names::collect(draft)).unwrap_or_default();
    violations_of(report, json, schema, &names)
}

fn violations_of(
    report: &garde::Report,
    json: &Value,
    schema: Option<&Value>,
    names: &Names,
) -> Vec<Violation> {
    let violation = |(path, error): &(garde::error::Path, garde::Error)| Violation {
        path: json_path(path, json, schema, names),
        message: error.message().to_owned(),
    };
    report.iter().map(violation).collect()
}

impl fmt::Debug for DraftVtable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DraftVtable").finish_non_exhaustive()
    }
}
