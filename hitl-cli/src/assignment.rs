//! `--set path=value`, and merge patches between two drafts.

use hitl_runtime::plumbing::exact;
use serde_json::{Map, Value};

use super::{exit::CliError, schema::Schema};

/// An assignment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    path: Vec<String>,
    text: String,
}

impl Assignment {
    /// Parses `to.iban=DE02…` and `items[0].sku=…`, which is also `items.0.sku=…`. A dot or a bracket in a key is
    /// escaped by `\`.
    pub(super) fn parse(text: &str) -> Result<Self, CliError> {
        let invalid = || {
            CliError::usage(format_args!(
                "`{text}` is not an assignment; write it as in amount=99 or to.iban=DE02"
            ))
        };
        let (path, value) = text.split_once('=').ok_or_else(invalid)?;
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
            return Err(invalid());
        }
        Ok(Self { path: keys, text: value.to_owned() })
    }

    /// Returns the first key, which is a field of a state.
    pub(super) fn field(&self) -> &str {
        &self.path[0]
    }

    /// Sets the value at its path. Its type follows `schema`, or else the value that it replaces: `9133` is text if it
    /// replaces text, and otherwise a number.
    pub(super) fn apply(&self, to: &mut Value, schema: Option<Schema<'_>>) -> Result<(), CliError> {
        let mut target = to;
        let mut schema = schema;
        for (depth, key) in self.path.iter().enumerate() {
            schema = schema.and_then(|schema| schema.at(key));
            target = match target {
                Value::Array(items) => {
                    let length = items.len();
                    key.parse::<usize>().ok().and_then(|i| items.get_mut(i)).ok_or_else(|| {
                        let list = self.path[..depth].join(".");
                        CliError::usage(format_args!("`{list}` has {length} items, and `{key}` is not the index of one; use --patch to change the list"))
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
        let is_text = target.is_string() || schema.is_some_and(Schema::takes_text_only);
        *target = parse_value(&self.text, is_text);
        Ok(())
    }
}

/// Parses a value: JSON if possible, otherwise the text itself.
pub(super) fn parse_value(text: &str, is_text: bool) -> Value {
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
pub(super) fn merge_patch(before: &Value, after: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (before, after) else { return after.clone() };
    let mut out = Map::new();
    for (key, value) in new {
        match old.get(key) {
            Some(before) if before == value => {}
            Some(before) => {
                out.insert(key.clone(), merge_patch(before, value));
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

    fn assign(draft: Value, schema: Option<&Value>, text: &str) -> Value {
        let mut draft = draft;
        Assignment::parse(text).unwrap().apply(&mut draft, schema.map(Schema::new)).unwrap();
        draft
    }

    #[test]
    fn a_value_has_the_type_of_the_value_it_replaces() {
        assert_eq!(assign(json!({ "amount": 149.0 }), None, "amount=99"), json!({ "amount": 99 }));
        assert_eq!(assign(json!({ "order": "A-1" }), None, "order=9133"), json!({ "order": "9133" }));
        assert_eq!(assign(json!({ "note": null }), None, "note=a = b"), json!({ "note": "a = b" }));
        assert_eq!(
            assign(json!({ "to": { "iban": "x" } }), None, "to.iban=DE02"),
            json!({ "to": { "iban": "DE02" } })
        );
        assert_eq!(assign(json!({ "items": [1, 2] }), None, "items.1=3"), json!({ "items": [1, 3] }));
        assert_eq!(
            assign(json!({ "items": [{ "n": 1 }] }), None, "items[0].n=3"),
            json!({ "items": [{ "n": 3 }] })
        );
        assert_eq!(assign(json!({ "a.b": 1 }), None, r"a\.b=2"), json!({ "a.b": 2 }));
        assert_eq!(assign(json!({ "s": "x" }), None, "s=\"99\""), json!({ "s": "99" }));
    }

    #[test]
    fn the_type_of_a_null_is_that_of_the_schema() {
        let schema = json!({ "properties": { "zip": { "type": ["string", "null"] }, "n": { "type": ["number", "null"] } } });
        assert_eq!(assign(json!({ "zip": null }), Some(&schema), "zip=12345"), json!({ "zip": "12345" }));
        assert_eq!(assign(json!({ "zip": "1" }), Some(&schema), "zip=null"), json!({ "zip": null }));
        assert_eq!(assign(json!({ "n": null }), Some(&schema), "n=5"), json!({ "n": 5 }));
    }

    #[test]
    fn an_invalid_assignment_is_a_usage_error() {
        for text in ["amount", "=1", "a..b=1", ".a=1"] {
            assert_eq!(Assignment::parse(text).unwrap_err().code, "usage", "{text}");
        }
        let mut draft = json!({ "items": [1] });
        assert!(Assignment::parse("items.4=1").unwrap().apply(&mut draft, None).is_err());
    }

    #[test]
    fn the_patch_between_two_drafts_turns_one_into_the_other() {
        let before = json!({ "a": 1, "b": { "c": 2, "d": 3 }, "e": [1, 2] });
        let after = json!({ "a": 1, "b": { "c": 9 }, "e": [2], "f": "new" });
        let patch = merge_patch(&before, &after);
        assert_eq!(patch, json!({ "b": { "c": 9, "d": null }, "e": [2], "f": "new" }));
        let mut merged = before;
        json_patch::merge(&mut merged, &patch);
        assert_eq!(merged, after);
    }
}
