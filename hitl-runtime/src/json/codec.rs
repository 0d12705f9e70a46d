//! Values to JSON and back. An error is a violation with the path of the value at fault.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    canonical::DigestError,
    finite::{self, NotFinite},
};
use crate::Violation;

/// Deserializes a value. The error has the path of the field that is not of its type.
pub(crate) fn read<T: DeserializeOwned>(json: &str) -> Result<T, Violation> {
    // The path is computed only after a failure, because it costs more than the value.
    serde_json::from_str(json).or_else(|_| read_with_path(json))
}

fn read_with_path<T: DeserializeOwned>(json: &str) -> Result<T, Violation> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| Violation {
        path: Some(error.path().to_string()).filter(|path| path != ".").unwrap_or_default(),
        message: without_position(error.inner()),
    })?;
    deserializer
        .end()
        .map_err(|error| Violation { path: String::new(), message: without_position(&error) })?;
    Ok(value)
}

/// Returns the message without the line and the column, because the text that they refer to is not shown.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

/// Serializes a value to JSON. Rejects numbers that JSON cannot represent, which are NaN and the infinities.
///
/// # Errors
/// When the value has no JSON form; with the path.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<String, Violation> {
    let json = serde_json::to_string(value).map_err(|error| json_violation(&error))?;
    finite::check(value, &json).map_err(Violation::from)?;
    Ok(json)
}

/// Serializes a value of a journal entry, as [`encode`] does.
///
/// # Errors
/// As [`encode`].
pub(crate) fn encode_raw<T: Serialize + ?Sized>(value: &T) -> Result<Box<RawValue>, Violation> {
    let json = to_raw_value(value).map_err(|error| json_violation(&error))?;
    finite::check(value, json.get()).map_err(Violation::from)?;
    Ok(json)
}

pub(crate) fn json_violation(error: &serde_json::Error) -> Violation {
    Violation { path: String::new(), message: error.to_string() }
}

impl From<DigestError> for Violation {
    fn from(DigestError { path, problem }: DigestError) -> Self {
        Self { path, message: problem }
    }
}

impl From<NotFinite> for Violation {
    fn from(NotFinite { path, problem }: NotFinite) -> Self {
        Self { path, message: problem }
    }
}
