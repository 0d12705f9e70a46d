//! Bounds on the JSON of a request: memory, depth, number of values, and unique names in each object.
//!
//! A megabyte of `[[],[],…]` becomes many megabytes of values. Of two members with the same name a parser keeps one,
//! which need not be the one that a person has read. Each text is therefore walked once, without allocating values,
//! before it is parsed.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::payload::invalid_json;
use crate::serve::wire::Refusal;

/// The maximum nesting depth of arrays and objects.
pub(super) const DEEPEST: usize = 64;

/// The maximum number of values in a request, nested ones included.
pub(super) const MOST: usize = 50_000;

/// The estimated memory in bytes of a value, and of an object's first member, without their text.
const VALUE: usize = 40;
const OBJECT: usize = 700;

/// A name with a special meaning in serde_json: the string under it would be parsed as JSON, without these bounds.
const RAW: &str = "$serde_json::private::RawValue";

/// Returns an estimate of the memory in bytes that the values of a text take.
///
/// # Errors
/// If the text is not JSON, exceeds [`DEEPEST`] or [`MOST`], or has an object with a duplicate name.
pub(super) fn weigh(text: &str) -> Result<usize, Refusal> {
    let mut seen = Seen { values: 0, weight: text.len(), refused: None };
    let mut json = serde_json::Deserializer::from_str(text);
    let walked = Walk { seen: &mut seen, depth: 0 }.deserialize(&mut json).and_then(|()| json.end());
    match (seen.refused, walked) {
        (Some(refusal), _) => Err(refusal),
        (None, Err(error)) => Err(invalid_json(&error.to_string())),
        (None, Ok(())) => Ok(seen.weight),
    }
}

struct Seen {
    values: usize,
    weight: usize,
    refused: Option<Refusal>,
}

struct Walk<'a> {
    seen: &'a mut Seen,
    depth: usize,
}

impl Walk<'_> {
    fn refuse<E: Error>(self, refusal: Refusal) -> E {
        self.seen.refused = Some(refusal);
        E::custom("refused")
    }

    /// Counts a value.
    fn value<E: Error>(self) -> Result<Self, E> {
        self.seen.values += 1;
        self.seen.weight += VALUE;
        if self.seen.values > MOST {
            let problem = format!("a request has {MOST} values at most, counting those inside of others");
            return Err(self.refuse(Refusal::new(400, "too_many_values", problem).detail("limit", MOST)));
        }
        Ok(self)
    }

    /// Counts an array or object, and checks its depth.
    fn nest<E: Error>(self) -> Result<Self, E> {
        let walk = self.value()?;
        if walk.depth >= DEEPEST {
            let problem = format!("arrays and objects are in each other more than {DEEPEST} deep");
            return Err(walk.refuse(invalid_json(&problem).detail("limit", DEEPEST)));
        }
        Ok(walk)
    }

    fn inner(&mut self) -> Walk<'_> {
        Walk { seen: self.seen, depth: self.depth + 1 }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
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
        let mut walk = self.nest()?;
        while items.next_element_seed(walk.inner())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut walk = self.nest()?;
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key_seed(Name)? {
            if names.is_empty() {
                walk.seen.weight += OBJECT;
            }
            let refused = if name == RAW {
                Some(Refusal::new(400, "invalid_request", format!("no member is called `{RAW}`")))
            } else if names.contains(&name) {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
                let problem = format!("`{shown}` is there twice in one object: say it once");
                Some(Refusal::new(400, "duplicate_key", problem).detail("key", shown))
            } else {
                None
            };
            if let Some(refusal) = refused {
                return Err(walk.refuse(refusal));
            }
            names.insert(name);
            members.next_value_seed(walk.inner())?;
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
    fn what_is_within_the_bounds_is_weighed() {
        for text in [nested(DEEPEST), wide(MOST), r#"{"a":{"a":1},"b":[{"a":2},{"a":"3"}]}"#.to_owned()] {
            let weight = weigh(&text).unwrap_or_else(|refusal| panic!("{refusal}"));
            assert!(weight > text.len());
        }
    }

    #[test]
    fn what_is_beyond_them_is_refused_by_name() {
        let smuggled = format!(r#"{{"{RAW}": "{{\"a\":1,\"a\":2}}"}}"#);
        for (text, code) in [
            (nested(DEEPEST + 1).as_str(), "invalid_json"),
            (&nested(10_000), "invalid_json"),
            (&wide(MOST + 1), "too_many_values"),
            (&format!("[{}]", vec![r#"{"a":0}"#; MOST / 2 + 1].join(",")), "too_many_values"),
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
            let refusal = weigh(text).unwrap_err();
            assert_eq!((refusal.status, refusal.code), (400, code), "{refusal}");
        }
    }
}
