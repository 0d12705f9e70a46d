//! An edit as JSON.

use serde_json::Value;

use crate::prose::nearest;

/// What is wrong with a patch before its values are looked at.
#[derive(Debug, PartialEq)]
pub(crate) enum EditError {
    /// The draft has no such key.
    UnknownKey { path: String, near: Option<String> },
    /// A patch that is no object would take the place of the whole draft.
    NotAnObject,
}

/// Applies a JSON merge patch (RFC 7396).
pub(crate) fn merge(draft: &Value, patch: &Value) -> Result<Value, EditError> {
    if !patch.is_object() {
        return Err(EditError::NotAnObject);
    }
    let mut merged = draft.clone();
    json_patch::merge(&mut merged, patch);
    Ok(merged)
}

/// Looks for a key of the patch that the draft's type dropped: one that is not in what the type wrote after the
/// patch, and that its schema does not know either.
pub(crate) fn dropped(patch: &Value, written: &Value, schema: &Value) -> Result<(), EditError> {
    walk(patch, Some(written), schema, schema, &mut String::new())
}

fn walk(
    patch: &Value,
    written: Option<&Value>,
    schema: &Value,
    root: &Value,
    path: &mut String,
) -> Result<(), EditError> {
    let length = path.len();
    match patch {
        Value::Object(patch) => {
            let known = properties(schema, root);
            for (key, value) in patch {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                let there = written.and_then(|written| written.get(key));
                let described = known.and_then(|known| known.get(key));
                if there.is_none() && described.is_none() {
                    let keys = written.and_then(Value::as_object).into_iter().flatten();
                    let keys = keys.chain(known.into_iter().flatten()).map(|(key, _)| key.as_str());
                    let near = nearest(key, keys).map(str::to_owned);
                    return Err(EditError::UnknownKey { path: path.clone(), near });
                }
                walk(value, there, described.unwrap_or(&Value::Null), root, path)?;
                path.truncate(length);
            }
        }
        // A patch puts a list in place of the whole list, so its items stand where they are written.
        Value::Array(items) => {
            let described =
                resolved(schema, root).and_then(|schema| schema.get("items")).unwrap_or(&Value::Null);
            for (i, item) in items.iter().enumerate() {
                path.push_str(&format!("[{i}]"));
                walk(item, written.and_then(|written| written.get(i)), described, root, path)?;
                path.truncate(length);
            }
        }
        _ => {}
    }
    Ok(())
}

/// The properties that a schema names.
fn properties<'a>(schema: &'a Value, root: &'a Value) -> Option<&'a serde_json::Map<String, Value>> {
    resolved(schema, root)?.get("properties")?.as_object()
}

/// A schema, through one `$ref`.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> Option<&'a Value> {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.strip_prefix('#')?),
        None => Some(schema),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(patch: Value) -> Result<(), EditError> {
        let written = json!({ "order_id": "A-9133", "amount": 99.0, "to": { "iban": "DE02" }, "lines": [{ "dollars": 1 }, { "dollars": 2 }] });
        let schema = json!({
            "properties": { "order_id": {}, "amount": {}, "note": {}, "to": { "$ref": "#/$defs/To" } },
            "$defs": { "To": { "properties": { "iban": {}, "name": {} } } },
        });
        dropped(&patch, &written, &schema)
    }

    #[test]
    fn a_key_that_the_type_drops_is_an_error_with_the_near_name() {
        let unknown = |path: &str, near: Option<&str>| {
            Err(EditError::UnknownKey { path: path.into(), near: near.map(str::to_owned) })
        };
        assert_eq!(check(json!({ "amuont": 99 })), unknown("amuont", Some("amount")));
        assert_eq!(check(json!({ "to": { "ibn": "x" } })), unknown("to.ibn", Some("iban")));
        assert_eq!(check(json!({ "colour": null })), unknown("colour", None));
        assert_eq!(
            check(json!({ "lines": [{ "dollars": 1 }, { "dolars": 1 }] })),
            unknown("lines[1].dolars", Some("dollars"))
        );
    }

    #[test]
    fn a_key_that_is_left_out_when_empty_is_known_by_its_schema() {
        assert_eq!(check(json!({ "note": null, "to": { "name": null }, "amount": 1 })), Ok(()));
    }

    #[test]
    fn a_patch_that_is_no_object_is_refused() {
        assert_eq!(merge(&json!({ "amount": 1 }), &json!(2)), Err(EditError::NotAnObject));
        assert_eq!(merge(&json!({ "a": 1, "b": 2 }), &json!({ "b": null })), Ok(json!({ "a": 1 })));
    }
}
