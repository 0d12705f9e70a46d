//! JSON Schemas as descriptions for people, and as types for `--set`.

use hitl_runtime::plumbing;
use serde_json::{Map, Value};

/// A part of a schema.
#[derive(Clone, Copy)]
pub(super) struct Schema<'a>(plumbing::Schema<'a>);

impl<'a> Schema<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self(plumbing::Schema::new(root))
    }

    fn part(self) -> &'a Value {
        self.0.part
    }

    /// Returns the schema itself, the ones that it refers to, and its alternatives.
    fn options(self) -> Vec<Self> {
        self.0.parts().into_iter().map(Self).collect()
    }

    /// Returns the schema of a key or of an item.
    pub(super) fn at(self, key: &str) -> Option<Self> {
        let item = key.parse().ok();
        self.options()
            .into_iter()
            .find_map(|option| option.0.own_child(key).or_else(|| option.0.own_item(item?)))
            .map(Self)
    }

    /// Returns whether the schema accepts strings, but no numbers or booleans.
    pub(super) fn takes_text_only(self) -> bool {
        let options = self.options();
        let is = |option: &Self, name: &str| option.types().contains(&name);
        let text =
            |option: &Self| is(option, "string") || option.part().get("const").is_some_and(Value::is_string);
        options.iter().any(text)
            && !options
                .iter()
                .any(|option| ["number", "integer", "boolean"].iter().any(|name| is(option, name)))
    }

    fn types(&self) -> Vec<&'a str> {
        match self.part().get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the keys in the order of their declaration, which `required` preserves where maps do not.
    pub(super) fn keys(self) -> Vec<&'a str> {
        let mut keys: Vec<&str> = Vec::new();
        for option in self.options() {
            let required = option.part().get("required").and_then(Value::as_array).into_iter().flatten();
            let named = option.part().get("properties").and_then(Value::as_object).into_iter().flatten();
            for key in required.filter_map(Value::as_str).chain(named.map(|(key, _)| key.as_str())) {
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        keys
    }

    /// Describes each value in one line: `amount: a number from 0.01 to 10000 — US dollars.`
    pub(super) fn invariants(self) -> Vec<String> {
        let mut lines = Vec::new();
        self.describe("", 0, &mut lines);
        lines
    }

    fn describe(self, path: &str, depth: usize, lines: &mut Vec<String>) {
        for key in self.keys() {
            let Some(part) = self.at(key) else { continue };
            let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            let options = part.options();
            let docs = options.iter().find_map(|option| option.part().get("description")?.as_str());
            let docs =
                docs.map(|docs| format!(" — {}", docs.split_whitespace().collect::<Vec<_>>().join(" ")));
            lines.push(format!("{path}: {}{}", part.words(), docs.unwrap_or_default()));
            if depth < 3 {
                part.describe(&path, depth + 1, lines);
            }
        }
    }

    /// Describes the accepted values: `text of 1 to 500 characters`.
    fn words(self) -> String {
        let mut kinds: Vec<String> = Vec::new();
        for option in self.options() {
            if let Some(word) = option.part().get("const") {
                kinds.push(word.to_string());
            } else if let Some(words) = option.part().get("enum").and_then(Value::as_array) {
                kinds.extend(words.iter().map(Value::to_string));
            } else {
                kinds.extend(option.types().iter().map(|name| option.kind(name)));
            }
        }
        let mut seen = Vec::new();
        kinds.retain(|kind| {
            let is_new = !seen.contains(kind);
            seen.push(kind.clone());
            is_new
        });
        if kinds.is_empty() { "anything".to_owned() } else { kinds.join(" or ") }
    }

    fn kind(&self, name: &str) -> String {
        let number =
            |key: &str| self.part().get(key).filter(|n| n.is_number()).map(super::render::value::text);
        match name {
            "string" => {
                let mut out = "text".to_owned();
                out += &between(number("minLength"), number("maxLength"), "characters");
                if let Some(pattern) = self.part().get("pattern").and_then(Value::as_str) {
                    out += &format!(" that matches {pattern}");
                }
                if let Some(format) = self.part().get("format").and_then(Value::as_str) {
                    out += &format!(" ({format})");
                }
                out
            }
            "number" | "integer" => {
                let kind = if name == "number" { "a number" } else { "a whole number" };
                let low = number("minimum").map(|n| format!(" from {n}"));
                let low = low.or_else(|| number("exclusiveMinimum").map(|n| format!(" above {n}")));
                let high = number("maximum").map(|n| format!(" up to {n}"));
                let high = high.or_else(|| number("exclusiveMaximum").map(|n| format!(" below {n}")));
                format!("{kind}{}{}", low.unwrap_or_default(), high.unwrap_or_default())
            }
            "array" => format!("a list{}", between(number("minItems"), number("maxItems"), "items")),
            "boolean" => "true or false".to_owned(),
            "object" => "an object".to_owned(),
            other => other.to_owned(),
        }
    }
}

/// Returns the entries of an object in the order of its type.
pub(super) fn in_order<'a>(
    map: &'a Map<String, Value>,
    schema: Option<Schema<'_>>,
) -> Vec<(&'a str, &'a Value)> {
    let keys = schema.map(Schema::keys).unwrap_or_default();
    let place = |key: &str| keys.iter().position(|known| *known == key).unwrap_or(keys.len());
    let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.as_str(), value)).collect();
    entries.sort_by_key(|(key, _)| place(key));
    entries
}

fn between(low: Option<String>, high: Option<String>, what: &str) -> String {
    match (low, high) {
        (Some(low), Some(high)) if low == high => format!(" of {low} {what}"),
        (Some(low), Some(high)) => format!(" of {low} to {high} {what}"),
        (Some(low), None) => format!(" of at least {low} {what}"),
        (None, Some(high)) => format!(" of at most {high} {what}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn invariants_are_described_in_field_order() {
        let schema = json!({
            "required": ["order_id", "amount", "reason"],
            "properties": {
                "amount": { "type": "number", "format": "double", "minimum": 0.01, "maximum": 10000.0, "description": "US\ndollars." },
                "order_id": { "type": "string", "pattern": "^A-[0-9]{4}$" },
                "reason": { "type": "string", "minLength": 1, "maxLength": 500 },
                "to": { "anyOf": [{ "$ref": "#/$defs/To" }, { "type": "null" }], "description": "Where to." },
                "speed": { "enum": ["slow", "fast"] },
                "parts": { "type": "array", "items": { "type": "integer" }, "minItems": 1 },
            },
            "$defs": { "To": { "type": "object", "properties": { "iban": { "type": ["string", "null"] } } } },
        });
        assert_eq!(
            Schema::new(&schema).invariants(),
            [
                "order_id: text that matches ^A-[0-9]{4}$",
                "amount: a number from 0.01 up to 10000 — US dollars.",
                "reason: text of 1 to 500 characters",
                "parts: a list of at least 1 items",
                "speed: \"slow\" or \"fast\"",
                "to: an object or null — Where to.",
                "to.iban: text or null",
            ]
        );
    }

    #[test]
    fn a_recursive_schema_terminates() {
        let schema = json!({ "properties": { "next": { "$ref": "#" } } });
        assert_eq!(Schema::new(&schema).invariants().len(), 4);
        let circle = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/a" } } });
        assert!(Schema::new(&circle).invariants().is_empty());
    }
}
