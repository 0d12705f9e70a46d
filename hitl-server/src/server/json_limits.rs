//! Bounds on the JSON of a request: memory, depth, number of values, and unique names in each object.
//!
//! A megabyte of `[[],[],…]` becomes many megabytes of values. Of two members with the same name a parser keeps one,
//! which need not be the one that a person has read. Each text is therefore walked once, without allocating values,
//! before it is parsed.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::payload::invalid_json;
use crate::api::ApiError;

/// The maximum nesting depth of arrays and objects.
pub(crate) const MAX_DEPTH: usize = 64;

/// The maximum number of values in a request, nested ones included.
pub(crate) const MAX_VALUES: usize = 50_000;

/// The estimated memory in bytes of a value, and of an object's first member, without their text.
const VALUE_BYTES: usize = 40;
const OBJECT_BYTES: usize = 700;

/// A name with a special meaning in serde_json: the string under it would be parsed as JSON, without these bounds.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// Returns an estimate of the memory in bytes that the values of a text take.
///
/// # Errors
/// If the text is not JSON, exceeds [`MAX_DEPTH`] or [`MAX_VALUES`], or has an object with a duplicate name.
pub(crate) fn estimate_memory(text: &str) -> Result<usize, ApiError> {
    let mut totals = Totals { values: 0, bytes: text.len(), rejected: None };
    let mut json = serde_json::Deserializer::from_str(text);
    let walked =
        LimitVisitor { totals: &mut totals, depth: 0 }.deserialize(&mut json).and_then(|()| json.end());
    match (totals.rejected, walked) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(invalid_json(&error.to_string())),
        (None, Ok(())) => Ok(totals.bytes),
    }
}

struct Totals {
    values: usize,
    bytes: usize,
    rejected: Option<ApiError>,
}

struct LimitVisitor<'a> {
    totals: &'a mut Totals,
    depth: usize,
}

impl LimitVisitor<'_> {
    fn reject<E: Error>(self, error: ApiError) -> E {
        self.totals.rejected = Some(error);
        E::custom("rejected")
    }

    /// Counts a value.
    fn value<E: Error>(self) -> Result<Self, E> {
        self.totals.values += 1;
        self.totals.bytes += VALUE_BYTES;
        if self.totals.values > MAX_VALUES {
            let problem = format!("the request has more than {MAX_VALUES} values, nested ones included");
            return Err(
                self.reject(ApiError::new(400, "too_many_values", problem).detail("limit", MAX_VALUES))
            );
        }
        Ok(self)
    }

    /// Counts an array or object, and checks its depth.
    fn nest<E: Error>(self) -> Result<Self, E> {
        let visitor = self.value()?;
        if visitor.depth >= MAX_DEPTH {
            let problem = format!("arrays and objects are nested more than {MAX_DEPTH} levels deep");
            return Err(visitor.reject(invalid_json(&problem).detail("limit", MAX_DEPTH)));
        }
        Ok(visitor)
    }

    fn inner(&mut self) -> LimitVisitor<'_> {
        LimitVisitor { totals: self.totals, depth: self.depth + 1 }
    }
}

impl<'de> DeserializeSeed<'de> for LimitVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LimitVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.value().map(drop)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.value().map(drop)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.value().map(drop)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.value().map(drop)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.value().map(drop)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.value().map(drop)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut visitor = self.nest()?;
        while items.next_element_seed(visitor.inner())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut visitor = self.nest()?;
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key_seed(Name)? {
            if names.is_empty() {
                visitor.totals.bytes += OBJECT_BYTES;
            }
            let problem = if name == RAW_VALUE {
                Some(ApiError::new(
                    400,
                    "invalid_request",
                    format!("the member name `{RAW_VALUE}` is reserved"),
                ))
            } else if names.contains(&name) {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
                let problem = format!("duplicate key `{shown}` in one object: remove one");
                Some(ApiError::new(400, "duplicate_key", problem).detail("key", shown))
            } else {
                None
            };
            if let Some(error) = problem {
                return Err(visitor.reject(error));
            }
            names.insert(name);
            members.next_value_seed(visitor.inner())?;
        }
        Ok(())
    }
}

/// The name of a member, copied only if it is written with escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }

    fn visit_string<E: Error>(self, name: String) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        "[".repeat(levels) + &"]".repeat(levels)
    }

    fn wide(values: usize) -> String {
        format!("[{}]", vec!["0"; values - 1].join(","))
    }

    #[test]
    fn json_within_the_limits_is_accepted() {
        for text in
            [nested(MAX_DEPTH), wide(MAX_VALUES), r#"{"a":{"a":1},"b":[{"a":2},{"a":"3"}]}"#.to_owned()]
        {
            let bytes = estimate_memory(&text).unwrap_or_else(|error| panic!("{error}"));
            assert!(bytes > text.len());
        }
    }

    #[test]
    fn json_beyond_a_limit_is_rejected_with_its_code() {
        let smuggled = format!(r#"{{"{RAW_VALUE}": "{{\"a\":1,\"a\":2}}"}}"#);
        for (text, code) in [
            (nested(MAX_DEPTH + 1).as_str(), "invalid_json"),
            (&nested(10_000), "invalid_json"),
            (&wide(MAX_VALUES + 1), "too_many_values"),
            (&format!("[{}]", vec![r#"{"a":0}"#; MAX_VALUES / 2 + 1].join(",")), "too_many_values"),
            (r#"{"a":1,"a":1}"#, "duplicate_key"),
            (r#"{"a":1,"\u0061":2}"#, "duplicate_key"),
            (r#"[{"deep":[{"patch":{"cents":1,"cents":2}}]}]"#, "duplicate_key"),
            (&smuggled, "invalid_request"),
            // With `arbitrary-precision`, numbers are kept as text and `exact::parse` rejects this one later.
            #[cfg(not(feature = "arbitrary-precision"))]
            ("1e999", "invalid_json"),
            ("{", "invalid_json"),
            ("{} {}", "invalid_json"),
        ] {
            let error = estimate_memory(text).unwrap_err();
            assert_eq!((error.status, error.code), (400, code), "{error}");
        }
    }
}
