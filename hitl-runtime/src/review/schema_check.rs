//! Checks of JSON from outside against the schema of its type, for the cases in which serde is less strict than the
//! schema.
//!
//! serde also reads a struct from a list, by the order of its fields, and ignores keys that the struct does not have. A
//! person who reads such JSON, or a model that wrote it, may have meant something else.

use serde_json::{Map, Value};

use crate::{Violation, text::nearest};

/// The maximum depth to which references are followed. A schema that only refers to itself does not constrain anything.
const MAX_DEPTH: usize = 64;

/// The maximum number of readings of one value that are tried.
const MAX_READINGS: usize = 4096;

/// The kinds of mismatch that are reported.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Lists where the schema has an object.
    Shapes,
    /// Lists where the schema has an object, and keys that the schema does not have.
    Keys,
}

/// Checks a value against a schema.
///
/// # Errors
/// When it has a list where the schema has an object, or, with [`Strictness::Keys`], a key that the schema does not
/// have; with the path.
pub(crate) fn check_schema(value: &Value, schema: &Value, strictness: Strictness) -> Result<(), Violation> {
    SchemaCheck { root: schema, strictness }
        .check_value(value, &[schema])
        .map_err(|mismatch| mismatch.violation)
}

struct SchemaCheck<'a> {
    root: &'a Value,
    strictness: Strictness,
}

/// A violation and its depth. If a value has several readings, the one with the deepest violation was most likely meant, so
/// that violation is reported.
struct Mismatch {
    violation: Violation,
    depth: usize,
}

impl Mismatch {
    fn new(message: String) -> Self {
        Self { violation: Violation { path: String::new(), message }, depth: 0 }
    }

    fn inside(mut self, part: &str) -> Self {
        let path = &self.violation.path;
        let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
        self.violation.path = format!("{part}{dot}{path}");
        self.depth += 1;
        self
    }
}

impl<'a> SchemaCheck<'a> {
    /// Checks a value against several schemas, all of which apply.
    fn check_value(&self, value: &Value, schemas: &[&'a Value]) -> Result<(), Mismatch> {
        if !matches!(value, Value::Object(_) | Value::Array(_)) {
            return Ok(());
        }
        let mut readings = vec![Vec::new()];
        for schema in schemas {
            readings = self.expand(readings, schema, MAX_DEPTH);
        }
        let name = if value.is_array() { "array" } else { "object" };
        let of_type: Vec<_> = readings
            .iter()
            .filter(|reading| reading.iter().all(|schema| accepts_type(schema, name)))
            .collect();
        if of_type.is_empty() {
            // serde reports every other type mismatch.
            let wants_object = readings.iter().flatten().any(|schema| is_object(schema));
            return if value.is_array() && wants_object {
                Err(Mismatch::new("expected an object, found a list".to_owned()))
            } else {
                Ok(())
            };
        }
        // Readings whose constants and required keys match the value take precedence: they were most likely meant.
        let is_intended = |reading: &&&Vec<&Value>| reading.iter().all(|schema| is_intended(value, schema));
        let intended: Vec<_> = of_type.iter().filter(is_intended).copied().collect();
        let readings = if intended.is_empty() { of_type } else { intended };
        let mut deepest: Option<Mismatch> = None;
        for reading in readings {
            match self.check_reading(value, reading) {
                Ok(()) => return Ok(()),
                Err(mismatch) if deepest.as_ref().is_none_or(|deepest| mismatch.depth > deepest.depth) => {
                    deepest = Some(mismatch);
                }
                Err(_) => {}
            }
        }
        deepest.map_or(Ok(()), Err)
    }

    /// Combines each reading with each reading of one more schema. A reading is a list of schemas that all apply.
    fn expand(&self, readings: Vec<Vec<&'a Value>>, schema: &'a Value, depth: usize) -> Vec<Vec<&'a Value>> {
        if depth == 0 {
            return readings;
        }
        let mut readings = readings;
        for reading in &mut readings {
            reading.push(schema);
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|to| self.definition(to)) {
            readings = self.expand(readings, target, depth - 1);
        }
        for all in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            readings = self.expand(readings, all, depth - 1);
        }
        for either in ["anyOf", "oneOf"] {
            if let Some(choices) = schema.get(either).and_then(Value::as_array).filter(|all| !all.is_empty())
            {
                let each = choices.iter().flat_map(|choice| self.expand(readings.clone(), choice, depth - 1));
                readings = each.take(MAX_READINGS).collect();
            }
        }
        readings
    }

    fn definition(&self, reference: &str) -> Option<&'a Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }

    /// Checks a list or an object against one reading.
    fn check_reading(&self, value: &Value, reading: &[&'a Value]) -> Result<(), Mismatch> {
        match value {
            Value::Array(items) => self.check_list(items, reading),
            Value::Object(map) => self.check_object(map, reading),
            _ => Ok(()),
        }
    }

    fn check_list(&self, items: &[Value], reading: &[&'a Value]) -> Result<(), Mismatch> {
        let prefix_items = |schema: &&'a Value| schema.get("prefixItems").and_then(Value::as_array);
        for (i, item) in items.iter().enumerate() {
            let of_prefix = reading.iter().filter_map(|schema| prefix_items(schema)?.get(i));
            let of_rest = reading.iter().filter_map(|schema| {
                let is_prefix = prefix_items(schema).is_some_and(|prefix_items| i < prefix_items.len());
                schema.get("items").filter(|_| !is_prefix)
            });
            let schemas: Vec<_> = of_prefix.chain(of_rest).collect();
            self.check_value(item, &schemas).map_err(|mismatch| mismatch.inside(&format!("[{i}]")))?;
        }
        Ok(())
    }

    fn check_object(&self, map: &Map<String, Value>, reading: &[&'a Value]) -> Result<(), Mismatch> {
        let known = |schema: &&'a Value| schema.get("properties").and_then(Value::as_object);
        // An object that no schema describes may have any key.
        let is_described = reading.iter().any(|schema| is_object(schema));
        for (key, value) in map {
            let mut schemas: Vec<&'a Value> =
                reading.iter().filter_map(|schema| known(schema)?.get(key)).collect();
            let is_known = !schemas.is_empty();
            if !is_known {
                schemas.extend(reading.iter().filter_map(|schema| other_keys(schema)));
            }
            if schemas.is_empty() && is_described && self.strictness == Strictness::Keys {
                let keys = reading.iter().filter_map(known).flat_map(Map::keys).map(String::as_str);
                let near = nearest(key, keys).map(|near| format!("; did you mean `{near}`?"));
                let message = format!("unknown key{}", near.unwrap_or_default());
                return Err(Mismatch::new(message).inside(key));
            }
            self.check_value(value, &schemas).map_err(|mismatch| mismatch.inside(key))?;
        }
        Ok(())
    }
}

/// Returns the schema for the keys that a schema does not name, if it allows such keys.
fn other_keys(schema: &Value) -> Option<&Value> {
    let pattern = || schema.get("patternProperties").and_then(Value::as_object)?.values().next();
    let open = schema.get("additionalProperties").or_else(|| schema.get("unevaluatedProperties"));
    open.filter(|open| **open != Value::Bool(false)).or_else(pattern)
}

fn is_object(schema: &Value) -> bool {
    let has = |keyword| schema.get(keyword).is_some();
    has("properties") || has("additionalProperties") || has("type") && accepts_type(schema, "object")
}

/// Returns whether a schema accepts arrays or objects, as `wanted` says. A schema with neither a type nor a constant
/// accepts both, except that one with `properties` accepts no array.
fn accepts_type(schema: &Value, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(name)) => name == wanted,
        Some(Value::Array(names)) => names.iter().any(|name| name == wanted),
        // A constant has its own type, and so does each value of an `enum`.
        _ => match (schema.get("const"), schema.get("enum").and_then(Value::as_array)) {
            (Some(constant), _) => has_type(constant, wanted),
            (None, Some(values)) => values.iter().any(|value| has_type(value, wanted)),
            (None, None) => wanted == "object" || schema.get("properties").is_none(),
        },
    }
}

fn has_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "array" => value.is_array(),
        _ => value.is_object(),
    }
}

/// Returns whether a value has the schema's constants and required keys. A value that is not an object has them.
fn is_intended(value: &Value, schema: &Value) -> bool {
    let Value::Object(map) = value else { return true };
    let mut needed = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let has_all = needed.all(|key| key.as_str().is_none_or(|key| map.contains_key(key)));
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    has_all
        && properties.filter_map(|(key, schema)| Some((map.get(key)?, schema))).all(|(value, schema)| {
            let is_one_of =
                schema.get("enum").and_then(Value::as_array).is_none_or(|values| values.contains(value));
            is_one_of && schema.get("const").is_none_or(|constant| constant == value)
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemars::JsonSchema;
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Draft {
        order: String,
        to: Option<Account>,
        lines: Vec<Line>,
        by_tag: BTreeMap<String, Line>,
        pair: (Line, u8),
        action: Action,
        either: Either,
        free: Value,
        #[serde(flatten)]
        more: More,
        next: Option<Box<Draft>>,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Account {
        iban: String,
        name: Option<String>,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Line {
        cents: u32,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct More {
        note: String,
    }

    #[derive(JsonSchema)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    #[allow(dead_code)]
    enum Action {
        Pay { line: Line },
        Wait,
    }

    #[derive(JsonSchema)]
    #[serde(untagged)]
    #[allow(dead_code)]
    enum Either {
        One(Line),
        Two(Account),
        Many(Vec<Account>),
    }

    fn mismatch(value: Value, strictness: Strictness) -> Option<String> {
        let schema = schemars::schema_for!(Draft).to_value();
        check_schema(&value, &schema, strictness).err().map(|violation| violation.to_string())
    }

    #[test]
    fn a_matching_value_is_accepted() {
        let value = json!({
            "order": "A", "to": { "iban": "DE02" }, "lines": [{ "cents": 1 }], "by_tag": { "any": { "cents": 1 } },
            "pair": [{ "cents": 1 }, 2], "action": { "kind": "pay", "line": { "cents": 1 } },
            "either": [{ "iban": "x" }], "free": { "any": [{ "thing": [] }] }, "note": "x",
            "next": { "to": null, "action": { "kind": "wait" }, "either": { "cents": 1 }, "note": "y" },
        });
        assert_eq!(mismatch(value, Strictness::Keys), None);
    }

    #[test]
    fn a_list_in_place_of_an_object_is_rejected() {
        for (value, path) in [
            (json!(["A", null]), "expected an object"),
            (json!({ "to": ["DE02", "Ada"] }), "to: expected an object"),
            (json!({ "lines": [{ "cents": 1 }, [2]] }), "lines[1]: expected an object"),
            (json!({ "by_tag": { "a": [1] } }), "by_tag.a: expected an object"),
            (json!({ "pair": [[1], 2] }), "pair[0]: expected an object"),
            (json!({ "action": { "kind": "pay", "line": [1] } }), "action.line: expected an object"),
            (json!({ "action": ["pay", [1]] }), "action: expected an object"),
            (json!({ "next": { "to": [] } }), "next.to: expected an object"),
        ] {
            for strictness in [Strictness::Shapes, Strictness::Keys] {
                let error = mismatch(value.clone(), strictness);
                assert!(error.as_ref().is_some_and(|error| error.starts_with(path)), "{value}: {error:?}");
            }
        }
    }

    #[test]
    fn an_unknown_key_is_rejected() {
        for (value, path) in [
            (json!({ "ordre": "A" }), "ordre: unknown key; did you mean `order`?"),
            (json!({ "to": { "iban": "x", "nmae": "y" } }), "to.nmae: unknown key; did you mean `name`?"),
            (json!({ "lines": [{ "cents": 1, "fee": 2 }] }), "lines[0].fee: unknown key"),
            (json!({ "action": { "kind": "wait", "line": { "cents": 1 } } }), "action.line: unknown key"),
            (json!({ "action": { "kind": "pay", "line": { "cent": 1 } } }), "action.line.cent: unknown key"),
            (json!({ "either": { "cents": 1, "iban": "x" } }), "either."),
            (json!({ "next": { "next": { "x": 1 } } }), "next.next.x: unknown key"),
        ] {
            let error = mismatch(value.clone(), Strictness::Keys);
            assert!(error.as_ref().is_some_and(|error| error.starts_with(path)), "{value}: {error:?}");
            assert_eq!(mismatch(value, Strictness::Shapes), None);
        }
    }

    #[test]
    fn a_recursive_schema_terminates() {
        let schema = json!({ "$ref": "#/$defs/A", "$defs": { "A": { "$ref": "#/$defs/A" } } });
        assert!(check_schema(&json!({ "a": [] }), &schema, Strictness::Keys).is_ok());
        let schema = json!({ "anyOf": [{ "$ref": "#" }, { "$ref": "#" }] });
        assert!(check_schema(&json!({ "a": [] }), &schema, Strictness::Keys).is_ok());
    }
}
