//! The keys and items that a JSON Schema, as `schemars` generates it, allows in a value.
//!
//! References and combinations (`$ref`, `anyOf`, `oneOf`, `allOf`) are followed. Alternatives, such as the variants of
//! an enum, are matched against a value: a key that only another variant has is unknown.

use std::{borrow::Cow, cell::Cell};

use serde_json::Value;

/// The maximum number of parts of a schema that are followed. No schema that a person could fill in has more.
const MAX_PARTS: usize = 4_096;
/// The maximum depth at which an alternative is matched against a value. Below it, everything matches.
const MAX_DEPTH: u32 = 16;

/// A part of a schema, with the root into which its references point.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    root: &'a Value,
    /// The part.
    pub part: &'a Value,
}

impl<'a> Schema<'a> {
    /// Begins at the root of a schema.
    pub fn new(root: &'a Value) -> Self {
        Self { root, part: root }
    }

    fn sub(self, part: &'a Value) -> Self {
        Self { part, ..self }
    }

    fn keyword(self, name: &str) -> Option<&'a Value> {
        self.part.get(name)
    }

    fn list(self, name: &str) -> impl Iterator<Item = Self> {
        self.keyword(name).and_then(Value::as_array).into_iter().flatten().map(move |part| self.sub(part))
    }

    /// Returns the target of `$ref`. The pointer is part of a URI, so it may be percent-encoded.
    fn target(self) -> Option<Self> {
        let pointer = self.keyword("$ref")?.as_str()?.strip_prefix('#')?;
        self.root.pointer(&percent_decode(pointer)).map(|part| self.sub(part))
    }

    /// Returns the part and everything that it refers to, each once: alternatives, and parts that apply together.
    pub fn parts(self) -> Vec<Self> {
        all_parts([self], |alternatives| alternatives)
    }

    /// Returns the part's own alternatives.
    fn alternatives(self) -> Vec<Self> {
        self.list("anyOf").chain(self.list("oneOf")).collect()
    }

    /// Returns whether the part has no constraint, as for free JSON.
    fn is_free(self) -> bool {
        const CONSTRAINTS: [&str; 13] = [
            "type",
            "enum",
            "const",
            "$ref",
            "anyOf",
            "oneOf",
            "allOf",
            "properties",
            "patternProperties",
            "additionalProperties",
            "required",
            "items",
            "prefixItems",
        ];
        match self.part {
            Value::Bool(free) => *free,
            Value::Object(words) => CONSTRAINTS.iter().all(|word| !words.contains_key(*word)),
            _ => true,
        }
    }

    /// Returns whether a value may be an instance of the schema, judged by its shape: its type, its constants and its
    /// keys.
    pub(crate) fn matches(self, value: &Value) -> bool {
        self.matches_at(value, MAX_DEPTH, &MatchContext::new(true))
    }

    /// Returns whether a value that is not valid yet is meant to be an instance of the schema, judged by its tag alone.
    fn is_intended_by(self, value: &Value) -> bool {
        self.matches_at(value, MAX_DEPTH, &MatchContext::new(false))
    }

    fn matches_at(self, value: &Value, depth: u32, context: &MatchContext) -> bool {
        let Some(depth) = depth.checked_sub(1).filter(|_| context.has_fuel()) else { return true };
        if let Value::Bool(free) = self.part {
            return *free;
        }
        let matches = |schema: Self| schema.matches_at(value, depth, context);
        let is = |name: &Value| match name.as_str() {
            Some(name) if context.is_strict => has_type(value, name),
            Some(name) => value.is_object() == (name == "object"),
            None => true,
        };
        let of_type = match self.keyword("type") {
            Some(Value::Array(names)) => names.iter().any(is),
            Some(name) => is(name),
            None => true,
        };
        let mut any = self.list("anyOf").map(matches).peekable();
        let mut one = self.list("oneOf").map(matches).peekable();
        of_type
            && self.keyword("const").is_none_or(|only| only == value)
            && self.keyword("enum").and_then(Value::as_array).is_none_or(|all| all.contains(value))
            && self.target().is_none_or(matches)
            && self.list("allOf").all(matches)
            && (any.peek().is_none() || any.any(|matches| matches))
            && (one.peek().is_none() || one.any(|matches| matches))
            && self.members_match(value, depth, context)
    }

    fn members_match(self, value: &Value, depth: u32, context: &MatchContext) -> bool {
        match value {
            Value::Object(map) => {
                let required = self.keyword("required").and_then(Value::as_array).into_iter().flatten();
                let is_tag =
                    |key: &str| self.own_child(key).is_some_and(|child| child.keyword("const").is_some());
                required
                    .filter_map(Value::as_str)
                    .filter(|key| context.is_strict || is_tag(key) || self.is_variant(key))
                    .all(|key| map.contains_key(key))
                    && map.iter().all(|(key, value)| match self.own_child(key) {
                        Some(child) => child.matches_at(value, depth, context),
                        None => {
                            !context.is_strict
                                || self.keyword("additionalProperties") != Some(&Value::Bool(false))
                        }
                    })
            }
            Value::Array(items) => items.iter().enumerate().all(|(i, item)| match self.own_item(i) {
                Some(schema) => schema.matches_at(item, depth, context),
                None => true,
            }),
            _ => true,
        }
    }

    /// Returns the schema of a key that this part itself names or has a pattern for.
    fn named(self, key: &str) -> Option<Self> {
        let named = self.keyword("properties").and_then(|map| map.get(key));
        named.map(|part| self.sub(part)).or_else(|| {
            let patterns = self.keyword("patternProperties").and_then(Value::as_object).into_iter().flatten();
            let mut matching = patterns.filter(|(pattern, _)| is_match(pattern, key));
            matching.next().map(|(_, part)| self.sub(part))
        })
    }

    /// Returns this part's own schema for a key, named or not.
    pub fn own_child(self, key: &str) -> Option<Self> {
        self.named(key).or_else(|| {
            let rest = self.keyword("additionalProperties")?;
            (*rest != Value::Bool(false)).then(|| self.sub(rest))
        })
    }

    /// Returns this part's own schema for an item.
    pub fn own_item(self, i: usize) -> Option<Self> {
        let first = self.keyword("prefixItems").and_then(Value::as_array).and_then(|first| first.get(i));
        first
            .or_else(|| self.keyword("items").filter(|items| **items != Value::Bool(false)))
            .map(|part| self.sub(part))
    }

    /// Returns whether the part is an externally tagged variant with the name `key`: an object that must have this key
    /// and can have no other.
    fn is_variant(self, key: &str) -> bool {
        let only = |map: &Value| map.as_object().is_some_and(|map| map.len() == 1 && map.contains_key(key));
        self.keyword("properties").is_some_and(only)
            && self
                .keyword("required")
                .and_then(Value::as_array)
                .is_some_and(|list| list.iter().any(|name| name == key))
            && self.keyword("additionalProperties") == Some(&Value::Bool(false))
    }
}

/// The mode of a match and its remaining budget.
struct MatchContext {
    is_strict: bool,
    /// The remaining number of steps. In nested enums, the same values are matched against the alternatives many times.
    fuel: Cell<u32>,
}

impl MatchContext {
    fn new(is_strict: bool) -> Self {
        Self { is_strict, fuel: Cell::new(100_000) }
    }

    fn has_fuel(&self) -> bool {
        self.fuel.set(self.fuel.get().saturating_sub(1));
        self.fuel.get() > 0
    }
}

/// The schemas that may each describe one position in a value.
#[derive(Clone, Debug, Default)]
pub(crate) struct SchemaSet<'a>(Vec<Schema<'a>>);

impl<'a> SchemaSet<'a> {
    pub(crate) fn new(root: &'a Value) -> Self {
        Self(Schema::new(root).parts())
    }

    /// Returns the schemas of a value. Of each choice, only the alternatives that match the value are kept, or all of
    /// them if none does.
    pub(crate) fn for_value(root: &'a Value, value: &Value) -> Self {
        Self(vec![Schema::new(root)]).matching(value)
    }

    /// Returns the schemas with only the alternatives that match a value, or with all of them if none does.
    pub(crate) fn matching(&self, value: &Value) -> Self {
        self.select(|schema| schema.matches(value))
    }

    /// Returns the schemas with only the alternatives that a value is meant to match although it does not yet, or with
    /// all of them if it is meant to match none.
    pub(crate) fn intended_by(&self, value: &Value) -> Self {
        self.select(|schema| schema.is_intended_by(value))
    }

    fn select(&self, is_selected: impl Fn(&Schema<'a>) -> bool) -> Self {
        Self(all_parts(self.0.iter().copied(), |alternatives| {
            let selected: Vec<_> = alternatives.iter().copied().filter(&is_selected).collect();
            if selected.is_empty() { alternatives } else { selected }
        }))
    }

    /// Returns the schemas with every alternative.
    pub(crate) fn all(&self) -> Self {
        Self(all_parts(self.0.iter().copied(), |alternatives| alternatives))
    }

    /// Returns whether a key is named.
    pub(crate) fn names(&self, key: &str) -> bool {
        self.0.iter().any(|part| part.named(key).is_some())
    }

    /// Returns whether a key is allowed here although it is not named, as in a map or in free JSON.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_empty()
            || self.0.iter().any(|part| {
                part.is_free()
                    || part.keyword("additionalProperties").is_some_and(|rest| *rest != Value::Bool(false))
            })
    }

    /// Returns every key that is named.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> {
        let maps = self.0.iter().filter_map(|part| part.keyword("properties")?.as_object());
        maps.flatten().map(|(key, _)| key.as_str())
    }

    pub(crate) fn child(&self, key: &str) -> Self {
        Self(self.0.iter().filter_map(|part| part.own_child(key)).collect())
    }

    pub(crate) fn item(&self, i: usize) -> Self {
        Self(self.0.iter().filter_map(|part| part.own_item(i)).collect())
    }

    /// Returns whether the items are a set, which may be serialized in another order.
    pub(crate) fn is_set(&self) -> bool {
        self.0.iter().any(|part| part.keyword("uniqueItems") == Some(&Value::Bool(true)))
    }

    /// Returns whether a key is the name of an externally tagged variant, with the variant's content as its value.
    pub(crate) fn is_variant(&self, key: &str) -> bool {
        self.0.iter().any(|part| part.is_variant(key))
    }
}

/// Returns the schemas and everything that they refer to, each once. Of alternatives, those that `choose` keeps are
/// included.
fn all_parts<'a>(
    start: impl IntoIterator<Item = Schema<'a>>,
    choose: impl Fn(Vec<Schema<'a>>) -> Vec<Schema<'a>>,
) -> Vec<Schema<'a>> {
    let mut found: Vec<Schema<'a>> = Vec::new();
    let mut next: Vec<Schema<'a>> = start.into_iter().collect();
    next.reverse();
    while let Some(schema) = next.pop() {
        if found.len() >= MAX_PARTS || found.iter().any(|known| std::ptr::eq(known.part, schema.part)) {
            continue;
        }
        found.push(schema);
        let mut inner: Vec<_> = schema.target().into_iter().chain(schema.list("allOf")).collect();
        let alternatives = schema.alternatives();
        if !alternatives.is_empty() {
            inner.extend(choose(alternatives));
        }
        next.extend(inner.into_iter().rev());
    }
    found
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        _ => true,
    }
}

/// Returns whether a pattern matches a key. A pattern that is not a valid regular expression matches nothing.
fn is_match(pattern: &str, key: &str) -> bool {
    regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(key))
}

/// Decodes percent-encoding (RFC 3986).
fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((first, rest)) = bytes.split_first() {
        let pair = rest.get(..2).filter(|_| *first == b'%').and_then(|pair| str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                bytes = &rest[2..];
            }
            None => {
                out.push(*first);
                bytes = rest;
            }
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn chains_of_references_are_followed_and_terminate() {
        let root = json!({
            "$ref": "#/$defs/a~1b%20c",
            "$defs": {
                "a/b c": { "allOf": [{ "$ref": "#/$defs/d" }, { "properties": { "x": {} } }] },
                "d": { "$ref": "#/$defs/e", "description": "beside" },
                "e": { "properties": { "y": { "$ref": "#" } }, "anyOf": [{ "$ref": "#/$defs/d" }] },
            },
        });
        let known = SchemaSet::new(&root);
        assert!(known.names("x") && known.names("y") && !known.names("z") && !known.is_open());
        assert!(known.child("y").all().names("x"), "in circles");
        let circle = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/a" } } });
        assert!(!SchemaSet::new(&circle).names("a") && Schema::new(&circle).matches(&json!(1)));
        let nowhere = json!({ "$ref": "#/$defs/none" });
        assert!(!SchemaSet::new(&nowhere).names("a"));
    }

    #[test]
    fn alternatives_are_selected_by_their_tags() {
        let root = json!({ "oneOf": [
            { "type": "object", "properties": { "kind": { "const": "pay" }, "cents": { "type": "integer" } }, "required": ["kind"] },
            { "type": "object", "properties": { "kind": { "const": "ask" }, "text": { "type": "string" } }, "required": ["kind"] },
        ] });
        let known = SchemaSet::for_value(&root, &json!({ "kind": "ask" }));
        assert!(known.names("text") && !known.names("cents"));
        assert!(known.all().names("text"));
        assert!(SchemaSet::new(&root).names("cents"));
    }

    #[test]
    fn maps_and_free_json_accept_any_key() {
        let root = json!({ "properties": {
            "map": { "type": "object", "additionalProperties": { "type": "integer" } },
            "any": true,
            "described": { "description": "Whatever it is." },
            "numbers": { "type": "object", "patternProperties": { "^[0-9]+$": { "type": "string" } }, "additionalProperties": false },
            "pair": { "type": "array", "prefixItems": [{ "const": 1 }], "items": false },
        } });
        let known = SchemaSet::new(&root);
        for open in ["map", "any", "described"] {
            assert!(known.child(open).is_open(), "{open}");
        }
        let numbers = known.child("numbers");
        assert!(!numbers.is_open() && numbers.names("12") && !numbers.names("x"));
        assert!(!known.child("pair").item(0).0.is_empty() && known.child("pair").item(1).0.is_empty());
    }
}
