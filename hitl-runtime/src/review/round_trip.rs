//! The read-back check of drafts: a person signs only a value that comes out of the journal as it went in.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Comparison, Draft};
use crate::{
    Violation,
    json::{
        encode,
        exact::{Integers, normal},
        json_violation, read,
    },
};

/// The number of times that a draft with a list and a foreign field is read back. A type without an order may be
/// serialized in the same order by chance: with two items, in every second read.
const FOREIGN_ROUND_TRIPS: usize = 64;

const CAUSES: &str = "the usual causes are `HashSet`, `#[serde(skip)]`, `default`, and a `with` \
     module whose functions are not inverse; use a type that deserializes to the value that it serialized";

/// Checks that a draft, which was read from `json`, can be signed. Returns it as JSON, and as the text that the journal
/// will keep.
///
/// # Errors
/// When canonical JSON does not represent one of its numbers exactly, or when it is not read back as it was written;
/// with the path.
pub(crate) fn to_signable_json<T: Draft>(draft: &T, json: &str) -> Result<(Value, String), Violation> {
    let written = encode(draft)?;
    let mut comparison = Comparison::default();
    // If the draft serializes to the JSON that it was read from, that JSON reads as the same draft again.
    if written != json {
        check_copy(&read_canonical(&written)?, draft, &written, &mut comparison)?;
    } else {
        // The comparison only detects foreign fields here.
        let _ = draft.same(draft, &mut comparison);
    }
    if comparison.foreign {
        let times = if written.contains('[') { FOREIGN_ROUND_TRIPS } else { 1 };
        for _ in 0..times {
            check_copy(&read_canonical(&written)?, draft, &written, &mut comparison)?;
        }
    }
    // The type's own spelling of numbers is kept: it serializes 149 dollars as `149.0`.
    Ok((parse(&written)?, written))
}

/// Reads a draft from JSON in which each number has its one canonical spelling.
///
/// # Errors
/// When the JSON is not of the type, when canonical JSON does not represent one of its numbers exactly, or when the
/// canonical spelling reads as another value; with the path.
pub(crate) fn read_canonical<T: Draft>(json: &str) -> Result<T, Violation> {
    let exact = normal(json, Integers::Canonical)?;
    let draft: T = read(&exact)?;
    if let Cow::Owned(_) = exact {
        let before: T = read(json)?;
        before.same(&draft, &mut Comparison::default()).map_err(|path| Violation {
            path,
            message: "two values of this type have the same canonical number in JSON, as `100.0` and `100` do, so a signature could not distinguish them; give each a tag, or make one of them a string"
                .to_owned(),
        })?;
    }
    Ok(draft)
}

fn check_copy<T: Draft>(
    back: &T,
    draft: &T,
    written: &str,
    comparison: &mut Comparison,
) -> Result<(), Violation> {
    check_same_json(written, &encode(back)?)?;
    draft.same(back, comparison).map_err(round_trip_violation)
}

/// Checks that `json` reads as the value that it was written from.
///
/// # Errors
/// When it does not; with the path.
pub(crate) fn check_round_trip<T: Draft>(value: &T, json: &str) -> Result<(), Violation> {
    let back: T = read(json)?;
    value.same(&back, &mut Comparison::default()).map_err(round_trip_violation)
}

/// Checks that the JSON of a value and the JSON of the value that was read back are the same. The order of keys is
/// ignored.
///
/// # Errors
/// When they are not; with the path.
pub(crate) fn check_same_json(written: &str, back: &str) -> Result<(), Violation> {
    if written == back {
        return Ok(());
    }
    match difference(&parse(written)?, &parse(back)?) {
        Some(path) => Err(round_trip_violation(path)),
        None => Ok(()),
    }
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Violation> {
    serde_json::from_str(json).map_err(|error| json_violation(&error))
}

/// Returns the path to the first difference between two values.
fn difference(a: &Value, b: &Value) -> Option<String> {
    let inside = |part: &str, path: String| {
        let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
        format!("{part}{dot}{path}")
    };
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            keys.find_map(|key| match (a.get(key), b.get(key)) {
                (Some(a), Some(b)) => Some(inside(key, difference(a, b)?)),
                _ => Some(key.clone()),
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(i, (a, b))| Some(inside(&format!("[{i}]"), difference(a, b)?)))
        }
        (a, b) => (a != b).then(String::new),
    }
}

fn round_trip_violation(path: String) -> Violation {
    Violation { path, message: format!("the value changes in a round trip through JSON: {CAUSES}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde::Serialize;

    use super::*;

    /// Returns the JSON that the journal keeps, or the error.
    fn written<T: Draft>(value: &T) -> Result<String, String> {
        let json = encode(value).map_err(|violation| violation.to_string())?;
        check_round_trip(value, &json).map_err(|violation| violation.to_string())?;
        let draft = read_canonical::<T>(&json).map_err(|violation| violation.to_string())?;
        super::to_signable_json(&draft, &json)
            .map(|(_, json)| json)
            .map_err(|violation| violation.to_string())
    }

    #[test]
    fn integers_survive_up_to_2_to_the_53() {
        assert_eq!(written(&(1_u64 << 53)).unwrap(), "9007199254740992");
        assert_eq!(written(&-(1_i128 << 53)).unwrap(), "-9007199254740992");
        for error in [written(&((1_u64 << 53) + 1)), written(&u128::MAX), written(&i64::MIN)] {
            assert!(error.unwrap_err().contains("beyond 2^53"));
        }
    }

    /// A type that serializes half of the number that it was read from.
    #[derive(Clone, Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
    struct Halved(u32);

    impl Serialize for Halved {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_u32(self.0 / 2)
        }
    }

    crate::review::drafts!(Halved);

    /// The JSON of an edit was not written by a node, so it is read back here.
    #[test]
    fn an_edited_draft_must_survive_a_round_trip() {
        let edited =
            |json| super::to_signable_json(&read_canonical::<Halved>(json)?, json).map(|(_, json)| json);
        assert_eq!(edited("0").unwrap(), "0");
        let violation = edited("10").unwrap_err();
        assert!(violation.message.contains("round trip"), "{violation}");
    }

    #[test]
    fn free_json_has_one_form_of_a_number() {
        let canonical =
            |json| super::to_signable_json(&read_canonical::<Value>(json)?, json).map(|(_, json)| json);
        assert_eq!(canonical("[100.0,1e2,-0.0,0.5]").unwrap(), "[100,100,0,0.5]");
        assert_eq!(canonical("0.1000000000000000055511151231257827").unwrap_err().path, "");
        assert!(canonical(r#"{"a":{"b":1,"b":2}}"#).is_err());
        assert!(canonical("[1e400]").is_err());
    }

    #[cfg(feature = "rust_decimal")]
    #[test]
    fn a_long_decimal_is_an_exact_string() {
        let long: rust_decimal::Decimal = "7922816251426433759354395.0335".parse().unwrap();
        assert_eq!(written(&long).unwrap(), r#""7922816251426433759354395.0335""#);
        assert_ne!(written(&"1.0".parse::<rust_decimal::Decimal>().unwrap()).unwrap(), r#""1""#);
    }

    #[cfg(all(feature = "chrono", feature = "jiff", feature = "url", feature = "uuid"))]
    #[test]
    fn types_of_other_crates_survive() {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 2, 28).unwrap();
        assert_eq!(written(&day).unwrap(), r#""2026-02-28""#);
        let second = jiff::Timestamp::from_second(1_763_800_000).unwrap();
        assert_eq!(written(&second).unwrap(), r#""2025-11-22T08:26:40Z""#);
        let url: url::Url = "https://bank.example/a?b=c".parse().unwrap();
        assert_eq!(written(&vec![url]).unwrap(), r#"["https://bank.example/a?b=c"]"#);
        assert!(written(&uuid::Uuid::from_u128(7)).is_ok());
    }
}
