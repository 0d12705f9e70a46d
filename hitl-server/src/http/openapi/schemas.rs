//! The schemas of the document: those of the API's types, and of the graph's drafts.

use hitl_runtime::plumbing::ReviewSchema;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The pointer to the schemas of a document.
const COMPONENTS: &str = "#/components/schemas/";

/// The schemas of a document, by name.
pub(super) struct Schemas {
    /// The schemas of what a client sends.
    sent: SchemaGenerator,
    /// The schemas of what it receives: a member that may be left out is not required.
    received: SchemaGenerator,
    named: Map<String, Value>,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            sent: settings().into_generator(),
            received: settings().for_serialize().into_generator(),
            named: Map::new(),
        }
    }

    /// Returns a reference to the schema of a reply.
    pub(super) fn reply<T: JsonSchema>(&mut self) -> Value {
        self.received.subschema_for::<T>().to_value()
    }

    /// Adds the schema of a body with further members, and returns a reference to it.
    pub(super) fn body<T: JsonSchema>(&mut self, name: &str, more: &[Member], left_out: &[&str]) -> Value {
        let mut schema = T::json_schema(&mut self.sent).to_value();
        if let Some(schema) = schema.as_object_mut() {
            for member in more {
                member.add_to(schema);
            }
            for name in left_out {
                leave_out(schema, name);
            }
        }
        self.add(name, schema)
    }

    /// Adds a schema, and returns a reference to it.
    pub(super) fn add(&mut self, name: &str, schema: Value) -> Value {
        self.named.insert(name.to_owned(), schema);
        reference(name)
    }

    /// Adds the schema of a draft with its definitions, and returns a reference to it.
    pub(super) fn draft(&mut self, review: &ReviewSchema) -> Value {
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let name = format!("Draft.{}", review.node.chars().filter(is_plain).collect::<String>());
        let mut schema = review.schema.clone();
        let definitions = schema.as_object_mut().and_then(|schema| {
            schema.remove("$schema");
            schema.remove("$defs")
        });
        redirect(&mut schema, &name);
        if let Some(Value::Object(definitions)) = definitions {
            for (inner, mut schema) in definitions {
                redirect(&mut schema, &name);
                self.named.insert(component(&name, &inner), schema);
            }
        }
        self.add(&name, schema)
    }

    /// Returns all schemas by name.
    pub(super) fn into_components(mut self) -> Map<String, Value> {
        let mut all = self.sent.take_definitions(true);
        all.append(&mut self.received.take_definitions(true));
        all.append(&mut self.named);
        all.values_mut().for_each(join_names);
        all.values_mut().for_each(|schema| {
            // A summary is followed by an example in Rust, which tells a client of the API nothing.
            if let Some(Value::String(description)) = schema.get_mut("description")
                && let Some(end) = description.find("\n\n```")
            {
                description.truncate(end);
            }
        });
        all
    }
}

/// A member of a body beside those of its type.
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) schema: Value,
    pub(super) is_required: bool,
}

impl Member {
    fn add_to(&self, schema: &mut Map<String, Value>) {
        let properties = schema.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(properties) = properties {
            properties.insert(self.name.to_owned(), self.schema.clone());
        }
        if self.is_required
            && let Value::Array(required) = schema.entry("required").or_insert_with(|| json!([]))
        {
            required.push(self.name.into());
        }
    }
}

fn leave_out(schema: &mut Map<String, Value>, name: &str) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.remove(name);
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|required| required != name);
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{COMPONENTS}{name}") })
}

/// Returns the name of a definition of a draft as a name of the document, which allows fewer characters.
fn component(draft: &str, inner: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let inner: String = inner.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    format!("{draft}.{inner}")
}

/// Replaces the documented names in a choice by one `enum`, which generators of clients know.
fn join_names(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let name = |choice: &Value| choice.get("const").filter(|name| name.is_string()).cloned();
            let choices = members.get("oneOf").and_then(Value::as_array);
            let names: Vec<Value> = choices.into_iter().flatten().filter_map(name).collect();
            if !names.is_empty()
                && let Some(Value::Array(mut choices)) = members.remove("oneOf")
            {
                choices.retain(|choice| name(choice).is_none());
                let names =
                    Map::from_iter([("type".to_owned(), "string".into()), ("enum".to_owned(), names.into())]);
                if choices.is_empty() {
                    members.extend(names);
                } else {
                    choices.insert(0, names.into());
                    members.insert("oneOf".to_owned(), choices.into());
                }
            }
            members.values_mut().for_each(join_names);
        }
        Value::Array(items) => items.iter_mut().for_each(join_names),
        _ => {}
    }
}

/// Redirects the references of a draft's schema to the schemas of the document.
fn redirect(schema: &mut Value, draft: &str) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref") {
                if let Some(inner) = target.strip_prefix("#/$defs/") {
                    *target = format!("{COMPONENTS}{}", component(draft, inner));
                } else if target == "#" {
                    *target = format!("{COMPONENTS}{draft}");
                }
            }
            members.values_mut().for_each(|value| redirect(value, draft));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redirect(item, draft)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_of_a_draft_become_schemas_of_the_document() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": { "to": { "$ref": "#/$defs/Account of a bank" }, "parent": { "$ref": "#" } },
            "$defs": { "Account of a bank": { "properties": { "next": { "$ref": "#/$defs/Account of a bank" } } } },
        });
        let mut schemas = Schemas::new();
        let review = schemas.draft(&ReviewSchema { node: "pay", field: "draft", schema });
        assert_eq!(review, reference("Draft.pay"));
        let all = schemas.into_components();
        assert_eq!(all["Draft.pay"]["properties"]["parent"], reference("Draft.pay"));
        let account = reference("Draft.pay.Account_of_a_bank");
        assert_eq!(all["Draft.pay"]["properties"]["to"], account);
        assert_eq!(all["Draft.pay.Account_of_a_bank"]["properties"]["next"], account);
        assert_eq!((all["Draft.pay"].get("$schema"), all["Draft.pay"].get("$defs")), (None, None));
    }

    #[test]
    fn documented_names_become_an_enum() {
        let mut schema =
            json!({ "properties": { "how": { "oneOf": [{ "const": "a" }, { "const": "b" }] } } });
        join_names(&mut schema);
        assert_eq!(schema, json!({ "properties": { "how": { "type": "string", "enum": ["a", "b"] } } }));
        let mut mixed = json!({ "oneOf": [{ "const": "a" }, { "type": "object" }, { "const": "b" }] });
        join_names(&mut mixed);
        assert_eq!(
            mixed,
            json!({ "oneOf": [{ "type": "string", "enum": ["a", "b"] }, { "type": "object" }] })
        );
        let mut other = json!({ "oneOf": [{ "const": 1 }, { "type": "string" }] });
        let before = other.clone();
        join_names(&mut other);
        assert_eq!(other, before);
    }
}
