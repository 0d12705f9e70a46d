//! JSON values for people: one line per value, with the path that leads to it.

use serde_json::Value;

use super::style::{SUSPICIOUS, paint};
use crate::{
    escape::escape,
    schema::{Schema, in_order},
};

/// A value and its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Row {
    pub(crate) fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// Returns every value inside a value with its path, in the order of its type: `to.iban`, `items[0].sku`. The path of a
/// scalar or empty value is `name`.
pub(crate) fn rows(name: &str, value: &Value, schema: Option<Schema<'_>>) -> Vec<Row> {
    let mut rows = Vec::new();
    walk(value, schema, &mut String::new(), name, &mut rows);
    rows
}

fn walk(value: &Value, schema: Option<Schema<'_>>, path: &mut String, name: &str, rows: &mut Vec<Row>) {
    let length = path.len();
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in in_order(map, schema) {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&word(key));
                walk(value, schema.and_then(|schema| schema.at(key)), path, name, rows);
                path.truncate(length);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (i, item) in items.iter().enumerate() {
                path.push_str(&format!("[{i}]"));
                walk(item, schema.and_then(|schema| schema.at("0")), path, name, rows);
                path.truncate(length);
            }
        }
        leaf => rows.push(Row::new(if path.is_empty() { name } else { path.as_str() }, text(leaf))),
    }
}

/// Formats a single value.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        // 149.0 and 149 are the same number.
        Value::Number(number) => {
            let text = number.to_string();
            text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
        }
        other => escape(&other.to_string()).into_owned(),
    }
}

/// Formats a string without quotes, unless it could be read as another kind of value. Line breaks are kept, and each is
/// marked.
fn string(text: &str) -> String {
    let looks = text.is_empty()
        || text.starts_with(['"', '[', '{', ' '])
        || text.ends_with(' ')
        || serde_json::from_str::<Value>(text).is_ok();
    if looks {
        return escape(&Value::from(text).to_string()).into_owned();
    }
    text.split('\n').map(escape).collect::<Vec<_>>().join(&format!("{}\n", paint(SUSPICIOUS, "\\n")))
}

/// Formats a key without quotes, unless it could be read as a path.
fn word(key: &str) -> String {
    if !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        escape(key).into_owned()
    } else {
        escape(&Value::from(key).to_string()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(value: &Value) -> Vec<(String, String)> {
        let strip = |text: &str| anstream::adapter::strip_str(text).to_string();
        rows("draft", value, None).iter().map(|row| (strip(&row.key), strip(&row.value))).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn a_draft_is_a_list_of_paths_and_values() {
        let draft = json!({ "order_id": "A-9133", "amount": 149.0, "to": { "iban": "DE02", "name": null }, "tags": ["a", "b"], "none": [] });
        assert_eq!(
            plain(&draft),
            [
                pair("amount", "149"),
                pair("none", "[]"),
                pair("order_id", "A-9133"),
                pair("tags[0]", "a"),
                pair("tags[1]", "b"),
                pair("to.iban", "DE02"),
                pair("to.name", "null"),
            ]
        );
        let schema = json!({ "required": ["order_id", "to", "amount"] });
        let keys: Vec<String> =
            rows("draft", &draft, Some(Schema::new(&schema))).into_iter().map(|row| row.key).collect();
        assert_eq!(keys, ["order_id", "to.iban", "to.name", "amount", "none", "tags[0]", "tags[1]"]);
        assert_eq!(plain(&json!("just a text")), [pair("draft", "just a text")]);
    }

    #[test]
    fn a_string_cannot_be_mistaken_for_another_value() {
        for text in ["149", "null", "true", "", " padded", "[1]", "\"quoted\""] {
            assert_eq!(plain(&json!(text)), [pair("draft", &json!(text).to_string())]);
        }
        assert_eq!(plain(&json!(0.1)), [pair("draft", "0.1")]);
        assert_eq!(plain(&json!("ok\namount  1\u{1b}[0m")), [pair("draft", "ok\\n\namount  1\\u{1b}[0m")]);
    }

    #[test]
    fn a_key_cannot_be_mistaken_for_a_path() {
        assert_eq!(
            plain(&json!({ "a.b": 1, "c": { "d": 2 }, "": 3 })),
            [pair("\"\"", "3"), pair("\"a.b\"", "1"), pair("c.d", "2")]
        );
    }
}
