//! `--set path=value`, and merge patches between two drafts.

use serde_json::{Map, Value};

use super::{exit::Refusal, schema::Schema};
use crate::journal::exact;

/// An assignment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    path: Vec<String>,
    text: String,
}

/// Parses `to.iban=DE02…` and `items[0].sku=…`, which is also `items.0.sku=…`. A dot or a bracket in a key is escaped
/// by `\`.
pub(super) fn assignment(text: &str) -> Result<Assignment, Refusal> {
    let wrong =
        || Refusal::usage(format_args!("`{text}` sets nothing; write it as in amount=99 or to.iban=DE02"));
    let (path, value) = text.split_once('=').ok_or_else(wrong)?;
    let mut keys = vec![String::new()];
    let mut chars = path.trim().chars();
    while let Some(c) = chars.next() {
        match (c, keys.last_mut()) {
            ('.' | '[', _) => keys.push(String::new()),
            (']', _) => {}
            ('\\', Some(key)) => key.extend(chars.next()),
            (c, Some(key)) => key.push(c),
            _ => {}
        }
    }
    if keys.iter().any(String::is_empty) {
        return Err(wrong());
    }
    Ok(Assignment { path: keys, text: value.to_owned() })
}

impl Assignment {
    /// Returns the first key, which is a field of a state.
    pub(super) fn field(&self) -> &str {
        &self.path[0]
    }

    /// Sets the value at its path. Its type follows `schema`, or else the value that it replaces: `9133` is text if it
    /// replaces text, and otherwise a number.
    pub(super) fn apply(&self, to: &mut Value, schema: Option<Schema<'_>>) -> Result<(), Refusal> {
        let mut place = to;
        let mut schema = schema;
        for (depth, key) in self.path.iter().enumerate() {
            schema = schema.and_then(|schema| schema.at(key));
            place = match place {
                Value::Array(items) => {
                    let length = items.len();
                    key.parse::<usize>().ok().and_then(|i| items.get_mut(i)).ok_or_else(|| {
                        let list = self.path[..depth].join(".");
                        Refusal::usage(format_args!("`{list}` is a list of {length}, and `{key}` is none of its places; use --patch to change the list"))
                    })?
                }
                other => {
                    if !other.is_object() {
                        *other = Value::Object(Map::new());
                    }
                    match other {
                        Value::Object(map) => map.entry(key.clone()).or_insert(Value::Null),
                        _ => return Ok(()),
                    }
                }
            };
        }
        let is_text = place.is_string() || schema.is_some_and(Schema::takes_text_only);
        *place = value(&self.text, is_text);
        Ok(())
    }
}

/// Parses a value: JSON if possible, otherwise the text itself.
pub(super) fn value(text: &str, is_text: bool) -> Value {
    match exact::parse(text.trim()) {
        Ok(value) if !is_text || value.is_string() || value.is_null() => value,
        _ => Value::from(text),
    }
}

/// Returns whether a field of this Rust type is text.
pub(super) fn is_text(ty: &str) -> bool {
    matches!(ty.rsplit("::").next().unwrap_or(ty).trim(), "String" | "Box<str>" | "Arc<str>")
}

/// Returns the merge patch (RFC 7396) that turns `before` into `after`.
pub(super) fn patch(before: &Value, after: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (before, after) else { return after.clone() };
    let mut out = Map::new();
    for (key, value) in new {
        match old.get(key) {
            Some(before) if before == value => {}
            Some(before) => {
                out.insert(key.clone(), patch(before, value));
            }
            None => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        out.insert(key.clone(), Value::Null);
    }
    Value::Object(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(draft: Value, schema: Option<&Value>, text: &str) -> Value {
        let mut draft = draft;
        assignment(text).unwrap().apply(&mut draft, schema.map(Schema::new)).unwrap();
        draft
    }

    #[test]
    fn a_value_takes_the_kind_of_what_stands_there() {
        assert_eq!(set(json!({ "amount": 149.0 }), None, "amount=99"), json!({ "amount": 99 }));
        assert_eq!(set(json!({ "order": "A-1" }), None, "order=9133"), json!({ "order": "9133" }));
        assert_eq!(set(json!({ "note": null }), None, "note=a = b"), json!({ "note": "a = b" }));
        assert_eq!(
            set(json!({ "to": { "iban": "x" } }), None, "to.iban=DE02"),
            json!({ "to": { "iban": "DE02" } })
        );
        assert_eq!(set(json!({ "items": [1, 2] }), None, "items.1=3"), json!({ "items": [1, 3] }));
        assert_eq!(
            set(json!({ "items": [{ "n": 1 }] }), None, "items[0].n=3"),
            json!({ "items": [{ "n": 3 }] })
        );
        assert_eq!(set(json!({ "a.b": 1 }), None, r"a\.b=2"), json!({ "a.b": 2 }));
        assert_eq!(set(json!({ "s": "x" }), None, "s=\"99\""), json!({ "s": "99" }));
    }

    #[test]
    fn a_schema_says_what_an_empty_place_takes() {
        let schema = json!({ "properties": { "zip": { "type": ["string", "null"] }, "n": { "type": ["number", "null"] } } });
        assert_eq!(set(json!({ "zip": null }), Some(&schema), "zip=12345"), json!({ "zip": "12345" }));
        assert_eq!(set(json!({ "zip": "1" }), Some(&schema), "zip=null"), json!({ "zip": null }));
        assert_eq!(set(json!({ "n": null }), Some(&schema), "n=5"), json!({ "n": 5 }));
    }

    #[test]
    fn what_sets_nothing_is_a_usage_error() {
        for text in ["amount", "=1", "a..b=1", ".a=1"] {
            assert_eq!(assignment(text).unwrap_err().code, "usage", "{text}");
        }
        let mut draft = json!({ "items": [1] });
        assert!(assignment("items.4=1").unwrap().apply(&mut draft, None).is_err());
    }

    #[test]
    fn the_patch_between_two_drafts_makes_the_one_of_the_other() {
        let before = json!({ "a": 1, "b": { "c": 2, "d": 3 }, "e": [1, 2] });
        let after = json!({ "a": 1, "b": { "c": 9 }, "e": [2], "f": "new" });
        let patch = patch(&before, &after);
        assert_eq!(patch, json!({ "b": { "c": 9, "d": null }, "e": [2], "f": "new" }));
        let mut merged = before;
        json_patch::merge(&mut merged, &patch);
        assert_eq!(merged, after);
    }
}
