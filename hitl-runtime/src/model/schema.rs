//! Conversion of a response schema into the JSON Schema that the services of models accept.

use serde_json::{Value, json};

use super::ResponseSchema;

/// The property that holds a response whose type is not an object.
const WRAPPER_KEY: &str = "answer";

/// A response schema whose top level is an object: services accept nothing else.
pub(super) struct ObjectSchema {
    /// The name: letters, digits, `_` and `-`, at most 64 characters.
    pub name: String,
    /// The schema, of an object.
    pub schema: Value,
    wrapped: bool,
}

impl ObjectSchema {
    pub fn new(response: &ResponseSchema) -> Self {
        let name = response.name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' });
        let mut schema = response.schema.clone();
        let wrapped = schema.get("type").and_then(Value::as_str) != Some("object");
        if let Some(object) = schema.as_object_mut() {
            object.remove("$schema");
        }
        if wrapped {
            schema = wrap(schema);
        }
        Self { name: name.take(64).collect(), schema, wrapped }
    }

    /// Returns the response without the object that was wrapped around it. A text that does not match the schema is
    /// returned unchanged: the caller validates it.
    pub fn unwrap(&self, text: String) -> String {
        if !self.wrapped {
            return text;
        }
        match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(mut object)) if object.contains_key(WRAPPER_KEY) => {
                object.remove(WRAPPER_KEY).unwrap_or_default().to_string()
            }
            _ => text,
        }
    }
}

/// Wraps a schema in an object. Its definitions stay at the root, because its references point there.
fn wrap(mut schema: Value) -> Value {
    let definitions = schema.as_object_mut().and_then(|object| object.remove("$defs"));
    let mut outer =
        json!({ "type": "object", "properties": { WRAPPER_KEY: schema }, "required": [WRAPPER_KEY] });
    if let (Some(outer), Some(definitions)) = (outer.as_object_mut(), definitions) {
        outer.insert("$defs".into(), definitions);
    }
    outer
}

/// Keywords that services with constrained decoding reject, because a grammar cannot count, and their wording for the
/// `description`.
#[cfg(feature = "bedrock")]
const LIMITS: [(&str, &str); 11] = [
    ("minimum", "at least"),
    ("maximum", "at most"),
    ("exclusiveMinimum", "more than"),
    ("exclusiveMaximum", "less than"),
    ("multipleOf", "a multiple of"),
    ("minLength", "characters at least"),
    ("maxLength", "characters at most"),
    ("minItems", "items at least"),
    ("maxItems", "items at most"),
    ("minProperties", "entries at least"),
    ("maxProperties", "entries at most"),
];

/// The string formats that constrained decoding accepts. Others, such as `double` and `uint32`, are removed.
#[cfg(feature = "bedrock")]
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Returns the subset of a schema that constrained decoding accepts: every object closed, no counting keywords, `anyOf`
/// in place of `oneOf`. The limits that are removed are added to the `description`, so that the model still knows them.
#[cfg(feature = "bedrock")]
pub(super) fn constrained(schema: &Value) -> Value {
    let mut schema = schema.clone();
    constrain(&mut schema);
    schema
}

#[cfg(feature = "bedrock")]
fn constrain(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    describe_limits(object);
    if object.get("format").and_then(Value::as_str).is_some_and(|format| !FORMATS.contains(&format)) {
        object.remove("format");
    }
    if let Some(either) = object.remove("oneOf") {
        object.insert("anyOf".into(), either);
    }
    if object.contains_key("properties") && !object.contains_key("additionalProperties") {
        object.insert("additionalProperties".into(), false.into());
    }
    for (keyword, value) in object.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                named.values_mut().for_each(constrain);
            }
            ("anyOf" | "allOf" | "prefixItems", Value::Array(several)) => {
                several.iter_mut().for_each(constrain)
            }
            ("items" | "additionalProperties", one) => constrain(one),
            _ => {}
        }
    }
}

#[cfg(feature = "bedrock")]
fn describe_limits(object: &mut serde_json::Map<String, Value>) {
    let limits: Vec<String> = LIMITS
        .iter()
        .filter_map(|(keyword, words)| Some((words, object.remove(*keyword)?)))
        .map(|(words, count)| match words.split_once(' ') {
            Some((what @ ("characters" | "items" | "entries"), how)) => format!("{how} {count} {what}"),
            _ => format!("{words} {count}"),
        })
        .collect();
    if limits.is_empty() {
        return;
    }
    let text = format!("Must be {}.", limits.join(" and "));
    let description = match object.get("description").and_then(Value::as_str) {
        Some(description) => format!("{description} {text}"),
        None => text,
    };
    object.insert("description".into(), description.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object_schema(schema: Value) -> ObjectSchema {
        ObjectSchema::new(&ResponseSchema::new("Map<A, B>", schema))
    }

    #[test]
    fn a_list_schema_is_wrapped_in_an_object() {
        let list = json!({
            "$schema": "x", "type": "array", "items": { "$ref": "#/$defs/Item" }, "$defs": { "Item": { "type": "string" } }
        });
        let object = object_schema(list);
        assert_eq!(object.name, "Map_A__B_");
        assert_eq!(
            object.schema,
            json!({
                "type": "object",
                "properties": { "answer": { "type": "array", "items": { "$ref": "#/$defs/Item" } } },
                "required": ["answer"],
                "$defs": { "Item": { "type": "string" } }
            })
        );
        assert_eq!(object.unwrap(r#"{"answer": ["a"]}"#.into()), r#"["a"]"#);
        assert_eq!(object.unwrap("no JSON".into()), "no JSON");
    }

    #[test]
    fn an_object_schema_is_unchanged() {
        let object = object_schema(json!({ "type": "object", "properties": {} }));
        assert_eq!(object.unwrap(r#"{"answer": 1}"#.into()), r#"{"answer": 1}"#);
    }

    #[cfg(feature = "bedrock")]
    #[test]
    fn counting_keywords_move_to_the_description() {
        let schema = json!({
            "type": "object",
            "properties": {
                "minimum": { "type": "integer", "format": "uint32", "minimum": 1, "maximum": 500 },
                "tags": {
                    "description": "What it is about.",
                    "type": "array",
                    "items": { "type": "string", "maxLength": 9, "pattern": "^a$" },
                    "maxItems": 3
                },
                "kind": { "oneOf": [{ "const": "a" }, { "type": "object", "properties": {} }] }
            },
            "required": ["minimum"]
        });
        assert_eq!(
            constrained(&schema),
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "minimum": { "type": "integer", "description": "Must be at least 1 and at most 500." },
                    "tags": {
                        "description": "What it is about. Must be at most 3 items.",
                        "type": "array",
                        "items": { "type": "string", "pattern": "^a$", "description": "Must be at most 9 characters." }
                    },
                    "kind": {
                        "anyOf": [
                            { "const": "a" },
                            { "type": "object", "properties": {}, "additionalProperties": false }
                        ]
                    }
                },
                "required": ["minimum"]
            })
        );
    }
}
