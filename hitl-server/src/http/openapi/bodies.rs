//! The schemas of the bodies, and their examples.

use hitl_runtime::{Digest, ThreadId, plumbing::Engine};
use serde_json::{Map, Value, json};

use super::schemas::{Member, Schemas};
use crate::api::{Approve, Ask, BatchReview, Edit, Reject, Settle, VERDICTS};

/// A body: a reference to its schema, and its examples by name.
pub(super) struct Body {
    pub(super) schema: Value,
    pub(super) examples: Map<String, Value>,
}

impl From<Value> for Body {
    fn from(schema: Value) -> Self {
        Self { schema, examples: Map::new() }
    }
}

/// The bodies of the requests.
pub(super) struct Bodies {
    pub(super) start: Body,
    pub(super) verdict: Body,
    pub(super) verdicts: Body,
    pub(super) settlement: Body,
    pub(super) stop: Body,
    pub(super) batch: Body,
    pub(super) empty: Body,
}

impl Bodies {
    pub(super) fn new(schemas: &mut Schemas, engine: &Engine, are_claimed: bool) -> Self {
        let verdict = one_verdict(schemas, "Verdict", &|| claims(are_claimed));
        let digest = schemas.reply::<Digest>();
        let of_review = one_verdict(schemas, "ReviewVerdict", &|| vec![required("digest", digest.clone())]);
        let reviews = schemas.reply::<BatchReview>();
        let of_batch = || {
            let reviews = json!({
                "type": "array", "items": reviews, "minItems": 1, "maxItems": 100, "uniqueItems": true,
            });
            let confirm = json!({
                "anyOf": [digest.clone(), { "type": "null" }],
                "description": "The `confirm` of the preview, to give the verdicts; left out for the preview.",
            });
            let own = [required("reviews", reviews), optional("confirm", confirm)];
            claims(are_claimed).into_iter().chain(own).collect()
        };
        let batch = one_verdict(schemas, "Batch", &of_batch);
        let settlement = schemas.body::<Settle>("Settlement", &claims(are_claimed), &["digest"]);
        let verdicts = json!({ "type": "array", "items": of_review, "minItems": 1 });
        let verdicts = with(claims(are_claimed), required("verdicts", verdicts));
        let reason = with(claims(are_claimed), optional("reason", json!({ "type": "string" })));
        let inputs = json!({ "type": "object", "description": "The inputs of the graph by name." });
        let start = [required("thread_id", schemas.reply::<ThreadId>()), required("input", inputs)];
        Self {
            start: Body {
                schema: schemas.add("Start", object(&start)),
                examples: example("start", start_example(engine)),
            },
            verdict: Body { schema: verdict, examples: verdict_examples(engine, are_claimed) },
            verdicts: schemas.add("Verdicts", object(&verdicts)).into(),
            settlement: settlement.into(),
            stop: schemas.add("StopRequest", object(&reason)).into(),
            batch: batch.into(),
            empty: schemas.add("Nothing", object(&claims(are_claimed))).into(),
        }
    }
}

/// Adds the four verdicts, each with further members, and returns the choice of one.
fn one_verdict(schemas: &mut Schemas, suffix: &str, more: &dyn Fn() -> Vec<Member>) -> Value {
    let each = VERDICTS.map(|verdict| {
        let members = with(more(), required("verdict", json!({ "const": verdict, "type": "string" })));
        let mut name = format!("{verdict}{suffix}");
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        match verdict {
            "approve" => schemas.body::<Approve>(&name, &members, &[]),
            "edit" => schemas.body::<Edit>(&name, &members, &[]),
            "reject" => schemas.body::<Reject>(&name, &members, &[]),
            _ => schemas.body::<Ask>(&name, &members, &[]),
        }
    });
    let mapping: Map<String, Value> = VERDICTS
        .iter()
        .zip(&each)
        .map(|(verdict, schema)| ((*verdict).to_owned(), schema["$ref"].clone()))
        .collect();
    let choice = json!({ "oneOf": each, "discriminator": { "propertyName": "verdict", "mapping": mapping } });
    schemas.add(suffix, choice)
}

fn object(members: &[Member]) -> Value {
    let properties: Map<String, Value> =
        members.iter().map(|member| (member.name.to_owned(), member.schema.clone())).collect();
    let required = members.iter().filter(|member| member.is_required).map(|member| member.name);
    let required: Vec<&str> = required.collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn required(name: &'static str, schema: Value) -> Member {
    Member { name, schema, is_required: true }
}

fn optional(name: &'static str, schema: Value) -> Member {
    Member { name, schema, is_required: false }
}

fn with(mut members: Vec<Member>, last: Member) -> Vec<Member> {
    members.push(last);
    members
}

/// Returns the operator that a request claims; nothing if operators are not claimed.
pub(super) fn claims(are_claimed: bool) -> Vec<Member> {
    if !are_claimed {
        return Vec::new();
    }
    let operator = json!({ "type": "string", "description": "The operator's name. It is not verified." });
    let roles = json!({ "type": "array", "items": { "type": "string" } });
    vec![optional("operator", operator), optional("roles", roles)]
}

fn example(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), json!({ "value": value }))])
}

fn start_example(engine: &Engine) -> Value {
    let inputs = engine.graph.state.spec.fields.iter().filter(|field| field.input);
    let inputs: Map<String, Value> = inputs.map(|field| (field.name.to_owned(), json!("…"))).collect();
    json!({ "thread_id": "ticket-A-9133", "input": inputs })
}

/// Returns an example of each verdict, with an edit of the draft of the first review.
fn verdict_examples(engine: &Engine, are_claimed: bool) -> Map<String, Value> {
    let reviews = engine.review_schemas();
    let review = reviews.first();
    let field = review.map_or("draft", |review| review.field);
    let properties = review.and_then(|review| review.schema.get("properties")?.as_object());
    let change: Map<String, Value> = properties
        .and_then(|properties| properties.iter().next())
        .map(|(name, schema)| (name.clone(), sample(schema)))
        .into_iter()
        .collect();
    let verdicts = [
        json!({ "verdict": "approve" }),
        json!({ "verdict": "edit", "patch": { field: change }, "note": "corrected" }),
        json!({ "verdict": "reject", "reason": "other", "note": "not covered by the policy" }),
        json!({ "verdict": "ask", "question": "Is there a photo?" }),
    ];
    let mut examples = Map::new();
    for (name, mut verdict) in VERDICTS.iter().zip(verdicts) {
        if are_claimed {
            verdict["operator"] = json!("mara");
        }
        examples.append(&mut example(name, verdict));
    }
    examples
}

/// Returns a value of a simple schema; null for others.
fn sample(schema: &Value) -> Value {
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => json!("…"),
        Some("boolean") => json!(true),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        _ => Value::Null,
    }
}
