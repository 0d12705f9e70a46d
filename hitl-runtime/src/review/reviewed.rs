//! What a type must be so that a person can sign a value of it.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Draft, draft::Names, json_path::json_path, read_back};
use crate::guard::{self, Broken};

// It has the one method that is needed and no supertrait, so that rustc names this trait, in our words, and not the one
// behind it.

// It has the one method that is needed and no supertrait, so that rustc names this trait, in our words, and not the one
// behind it.

/// A type with `#[derive(Validate)]` of garde: its invariants are checked when a node returns it, when an operator
/// edits it and when a store gives it back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is signed by a person, so it must derive `Validate`",
    label = "add `#[derive(garde::Validate)]` to `{Self}`",
    note = "its invariants are checked as a node returns it, as an operator edits it, as a store gives it back"
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

/// A field of a draft that breaks an invariant.
///
/// ```
/// let violation = hitl::Violation { path: "amount".into(), message: "greater than 10000".into() };
/// assert_eq!(violation.to_string(), "amount: greater than 10000");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The path to the field inside the draft's JSON, as in `window.At.hour`; empty for the draft as a whole.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Calls code of the draft's type. A panic in it is a violation of the draft as a whole.
fn guarded<T>(code: &str, call: impl FnOnce() -> T) -> Result<T, Vec<Violation>> {
    guard::guarded(|| format!("{code} of the draft"), call).map_err(|broken| vec![broken.into()])
}

impl From<Broken> for Violation {
    fn from(broken: Broken) -> Self {
        Self { path: String::new(), message: broken.to_string() }
    }
}

/// A draft, and the JSON that the journal is to keep of it.
pub type Spelled = (Value, String);

/// How the draft before a node is checked and shown, whatever its type.
#[derive(Clone, Copy)]
pub struct Reviewed {
    /// The draft as its type writes it, or what is wrong with it.
    pub check: fn(&str) -> Result<Value, Vec<Violation>>,
    /// The same of what a node has written, with the JSON that the journal is to keep of it.
    pub write: fn(&str) -> Result<Spelled, Vec<Violation>>,
    /// The JSON Schema of its type.
    pub schema: fn() -> Value,
}

impl Reviewed {
    /// For drafts of type `T`.
    pub const fn of<T>() -> Self
    where
        T: Draft + DerivesValidate + Send + Sync + 'static,
    {
        Self { check: check::<T>, write: write::<T>, schema: schema::<T> }
    }

    /// The JSON Schema of the draft in a field.
    pub(crate) fn schema_of(&self, field: &str) -> Result<Value, Broken> {
        guard::guarded(|| format!("schema of `{field}`"), self.schema)
    }
}

fn check<T: Draft + DerivesValidate>(json: &str) -> Result<Value, Vec<Violation>> {
    write::<T>(json).map(|(draft, _)| draft)
}

/// Wrong shapes, numbers that cannot be signed and broken invariants are all a list of violations with their paths.
fn write<T: Draft + DerivesValidate>(json: &str) -> Result<Spelled, Vec<Violation>> {
    let one = |violation| vec![violation];
    let draft = guarded("deserializer", || read_back::read_exactly::<T>(json))?.map_err(one)?;
    if let Err(report) = guarded("validator", || draft.check())? {
        let read =
            || serde_json::to_value(&draft).or_else(|_| serde_json::from_str(json)).unwrap_or_default();
        let json = guarded("serializer", read)?;
        // Without the schema a path is only less exact.
        let schema = guarded("schema", schema::<T>).ok();
        return Err(draft_violations(&draft, &report, &json, schema.as_ref()));
    }
    let written = guarded("serializer", || read_back::written(&draft, json))?;
    guarded("destructor", || drop(draft))?;
    written.map_err(one)
}

fn schema<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// A value of a type, or the field that is none of its type.
pub(crate) fn read<T: DeserializeOwned>(json: &str) -> Result<T, Violation> {
    // Where it is wrong is asked only once it is: the path costs more than the value.
    serde_json::from_str(json).or_else(|_| read_with_path(json))
}

fn read_with_path<T: DeserializeOwned>(json: &str) -> Result<T, Violation> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| Violation {
        path: Some(error.path().to_string()).filter(|path| path != ".").unwrap_or_default(),
        message: plain(error.inner()),
    })?;
    deserializer.end().map_err(|error| Violation { path: String::new(), message: plain(&error) })?;
    Ok(value)
}

/// Without the line and the column: nobody sees the text that they are of.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((said, _)) => said.to_owned(),
        None => text,
    }
}

/// Garde's report as a list, with the paths of the value's JSON.
pub(crate) fn violations(report: &garde::Report, json: &Value, schema: Option<&Value>) -> Vec<Violation> {
    violations_of(report, json, schema, &Names::default())
}

/// The same of a draft, whose fields may have other names in JSON.
pub(crate) fn draft_violations<T: Draft>(
    draft: &T,
    report: &garde::Report,
    json: &Value,
    schema: Option<&Value>,
) -> Vec<Violation> {
    let names = guarded("comparison", || Names::of(draft)).unwrap_or_default();
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
