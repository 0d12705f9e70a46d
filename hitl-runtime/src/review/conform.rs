//! Checks of JSON from outside against the schema of its type, for the cases in which serde is less strict than the
//! schema.
//!
//! serde also reads a struct from a list, by the order of its fields, and ignores keys that the struct does not have. A
//! person who reads such JSON, or a model that wrote it, may have meant something else.

use serde_json::{Map, Value};

use super::Violation;
use crate::prose::nearest;

/// The maximum depth to which references are followed. A schema that only refers to itself does not constrain anything.
const DEEPEST: usize = 64;

/// The maximum number of readings of one value that are tried.
const MOST_WAYS: usize = 4096;

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
pub(crate) fn conforms(value: &Value, schema: &Value, strictness: Strictness) -> Result<(), Violation> {
    Walk { root: schema, strictness }.value(value, &[schema]).map_err(|misfit| misfit.violation)
}

struct Walk<'a> {
    root: &'a Value,
    strictness: Strictness,
}

/// A violation and its depth. If a value can be read in several ways, the reading with the deepest violation is the one
/// that was most likely meant, so that violation is reported.
struct Misfit {
    violation: Violation,
    depth: usize,
}

impl Misfit {
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

impl<'a> Walk<'a> {
    /// Checks a value against several schemas, all of which apply.
    fn value(&self, value: &Value, schemas: &[&'a Value]) -> Result<(), Misfit> {
        if !matches!(value, Value::Object(_) | Value::Array(_)) {
            return Ok(());
        }
        let mut ways = vec![Vec::new()];
        for schema in schemas {
            ways = self.with(ways, schema, DEEPEST);
        }
        let name = if value.is_array() { "array" } else { "object" };
        let of_type: Vec<_> =
            ways.iter().filter(|way| way.iter().all(|schema| takes(schema, name))).collect();
        if of_type.is_empty() {
            // serde reports every other type mismatch.
            let wants_object = ways.iter().flatten().any(|schema| is_object(schema));
            return if value.is_array() && wants_object {
                Err(Misfit::new("it is a list, and should be an object with its keys".to_owned()))
            } else {
                Ok(())
            };
        }
        // Readings whose constants and required keys match the value take precedence: they were most likely meant.
        let is_meant = |way: &&&Vec<&Value>| way.iter().all(|schema| is_meant(value, schema));
        let meant: Vec<_> = of_type.iter().filter(is_meant).copied().collect();
        let ways = if meant.is_empty() { of_type } else { meant };
        let mut worst: Option<Misfit> = None;
        for way in ways {
            match self.one_way(value, way) {
                Ok(()) => return Ok(()),
                Err(misfit) if worst.as_ref().is_none_or(|worst| misfit.depth > worst.depth) => {
                    worst = Some(misfit);
                }
                Err(_) => {}
            }
        }
        worst.map_or(Ok(()), Err)
    }

    /// Combines each reading with each reading of one more schema. A reading is a list of schemas that all apply.
    fn with(&self, ways: Vec<Vec<&'a Value>>, schema: &'a Value, deepest: usize) -> Vec<Vec<&'a Value>> {
        if deepest == 0 {
            return ways;
        }
        let mut ways = ways;
        for way in &mut ways {
            way.push(schema);
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|to| self.definition(to)) {
            ways = self.with(ways, target, deepest - 1);
        }
        for all in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            ways = self.with(ways, all, deepest - 1);
        }
        for either in ["anyOf", "oneOf"] {
            if let Some(choices) = schema.get(either).and_then(Value::as_array).filter(|all| !all.is_empty())
            {
                let each = choices.iter().flat_map(|choice| self.with(ways.clone(), choice, deepest - 1));
                ways = each.take(MOST_WAYS).collect();
            }
        }
        ways
    }

    fn definition(&self, reference: &str) -> Option<&'a Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }

    /// Checks a list or an object against one reading.
    fn one_way(&self, value: &Value, way: &[&'a Value]) -> Result<(), Misfit> {
        match value {
            Value::Array(items) => self.list(items, way),
            Value::Object(map) => self.object(map, way),
            _ => Ok(()),
        }
    }

    fn list(&self, items: &[Value], way: &[&'a Value]) -> Result<(), Misfit> {
        let places = |schema: &&'a Value| schema.get("prefixItems").and_then(Value::as_array);
        for (i, item) in items.iter().enumerate() {
            let of_place = way.iter().filter_map(|schema| places(schema)?.get(i));
            let of_rest = way.iter().filter_map(|schema| {
                let is_placed = places(schema).is_some_and(|places| i < places.len());
                schema.get("items").filter(|_| !is_placed)
            });
            let schemas: Vec<_> = of_place.chain(of_rest).collect();
            self.value(item, &schemas).map_err(|misfit| misfit.inside(&format!("[{i}]")))?;
        }
        Ok(())
    }

    fn object(&self, map: &Map<String, Value>, way: &[&'a Value]) -> Result<(), Misfit> {
        let known = |schema: &&'a Value| schema.get("properties").and_then(Value::as_object);
        // An object that no schema describes may have any key.
        let is_described = way.iter().any(|schema| is_object(schema));
        for (key, value) in map {
            let mut schemas: Vec<&'a Value> =
                way.iter().filter_map(|schema| known(schema)?.get(key)).collect();
            let is_known = !schemas.is_empty();
            if !is_known {
                schemas.extend(way.iter().filter_map(|schema| other_keys(schema)));
            }
            if schemas.is_empty() && is_described && self.strictness == Strictness::Keys {
                let keys = way.iter().filter_map(known).flat_map(Map::keys).map(String::as_str);
                let near = nearest(key, keys).map(|near| format!("; did you mean `{near}`?"));
                let message = format!("there is no such key{}", near.unwrap_or_default());
                return Err(Misfit::new(message).inside(key));
            }
            self.value(value, &schemas).map_err(|misfit| misfit.inside(key))?;
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
    has("properties") || has("additionalProperties") || has("type") && takes(schema, "object")
}

/// Returns whether a schema accepts arrays or objects, as `wanted` says. A schema with neither a type nor a constant
/// accepts both, except that one with `properties` accepts no array.
fn takes(schema: &Value, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(name)) => name == wanted,
        Some(Value::Array(names)) => names.iter().any(|name| name == wanted),
        // A constant has its own type, and so does each value of an `enum`.
        _ => match (schema.get("const"), schema.get("enum").and_then(Value::as_array)) {
            (Some(constant), _) => is_of(constant, wanted),
            (None, Some(values)) => values.iter().any(|value| is_of(value, wanted)),
            (None, None) => wanted == "object" || schema.get("properties").is_none(),
        },
    }
}

fn is_of(value: &Value, wanted: &str) -> bool {
    match wanted {
        "array" => value.is_array(),
        _ => value.is_object(),
    }
}

/// Returns whether a value has the schema's constants and required keys. A value that is not an object has them.
fn is_meant(value: &Value, schema: &Value) -> bool {
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

    fn found(value: Value, strictness: Strictness) -> Option<String> {
        let schema = schemars::schema_for!(Draft).to_value();
        conforms(&value, &schema, strictness).err().map(|violation| violation.to_string())
    }

    #[test]
    fn what_fits_is_taken() {
        let value = json!({
            "order": "A", "to": { "iban": "DE02" }, "lines": [{ "cents": 1 }], "by_tag": { "any": { "cents": 1 } },
            "pair": [{ "cents": 1 }, 2], "action": { "kind": "pay", "line": { "cents": 1 } },
            "either": [{ "iban": "x" }], "free": { "any": [{ "thing": [] }] }, "note": "x",
            "next": { "to": null, "action": { "kind": "wait" }, "either": { "cents": 1 }, "note": "y" },
        });
        assert_eq!(found(value, Strictness::Keys), None);
    }

    #[test]
    fn a_list_where_an_object_belongs_is_named() {
        for (value, path) in [
            (json!(["A", null]), "it is a list"),
            (json!({ "to": ["DE02", "Ada"] }), "to: it is a list"),
            (json!({ "lines": [{ "cents": 1 }, [2]] }), "lines[1]: it is a list"),
            (json!({ "by_tag": { "a": [1] } }), "by_tag.a: it is a list"),
            (json!({ "pair": [[1], 2] }), "pair[0]: it is a list"),
            (json!({ "action": { "kind": "pay", "line": [1] } }), "action.line: it is a list"),
            (json!({ "action": ["pay", [1]] }), "action: it is a list"),
            (json!({ "next": { "to": [] } }), "next.to: it is a list"),
        ] {
            for strictness in [Strictness::Shapes, Strictness::Keys] {
                let error = found(value.clone(), strictness);
                assert!(error.as_ref().is_some_and(|error| error.starts_with(path)), "{value}: {error:?}");
            }
        }
    }

    #[test]
    fn a_key_that_the_schema_does_not_know_is_named() {
        for (value, path) in [
            (json!({ "ordre": "A" }), "ordre: there is no such key; did you mean `order`?"),
            (
                json!({ "to": { "iban": "x", "nmae": "y" } }),
                "to.nmae: there is no such key; did you mean `name`?",
            ),
            (json!({ "lines": [{ "cents": 1, "fee": 2 }] }), "lines[0].fee: there is no such key"),
            (
                json!({ "action": { "kind": "wait", "line": { "cents": 1 } } }),
                "action.line: there is no such key",
            ),
            (
                json!({ "action": { "kind": "pay", "line": { "cent": 1 } } }),
                "action.line.cent: there is no such key",
            ),
            (json!({ "either": { "cents": 1, "iban": "x" } }), "either."),
            (json!({ "next": { "next": { "x": 1 } } }), "next.next.x: there is no such key"),
        ] {
            let error = found(value.clone(), Strictness::Keys);
            assert!(error.as_ref().is_some_and(|error| error.starts_with(path)), "{value}: {error:?}");
            assert_eq!(found(value, Strictness::Shapes), None);
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({ "$ref": "#/$defs/A", "$defs": { "A": { "$ref": "#/$defs/A" } } });
        assert!(conforms(&json!({ "a": [] }), &schema, Strictness::Keys).is_ok());
        let schema = json!({ "anyOf": [{ "$ref": "#" }, { "$ref": "#" }] });
        assert!(conforms(&json!({ "a": [] }), &schema, Strictness::Keys).is_ok());
    }
}
