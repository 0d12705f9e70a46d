//! The paths of the document.

use hitl_runtime::ThreadView;
use serde_json::{Map, Value, json};

use super::{
    replies::{HistoryPage, ReviewPage, StopList, ThreadPage, VerdictPreview},
    schemas::{Member, Schemas},
};
use crate::{
    api::{Approve, Ask, BatchReply, BatchReview, Edit, Reject, Settle, VERDICTS},
    http::problem::Problem,
};

/// Returns the paths, and adds their schemas. Where operators are claimed, each request may name one.
pub(super) fn paths(schemas: &mut Schemas, are_claimed: bool) -> Map<String, Value> {
    let problem = schemas.reply::<Problem>();
    let mut paths = Paths { are_claimed, problem, paths: Map::new() };
    let bodies = Bodies::new(schemas, are_claimed);
    let (thread, pages) = (schemas.reply::<ThreadView>(), [text("after"), number("limit")]);
    let stops = schemas.reply::<StopList>();

    let [after, limit] = pages.clone();
    let filters = vec![text("node"), text("role"), text("thread_prefix"), after, limit];
    let reviews = schemas.reply::<ReviewPage>();
    paths.get(
        "/v1/reviews",
        "list_reviews",
        "Returns the open reviews that the operator may decide.",
        filters,
        reviews,
    );
    let [after, limit] = pages;
    let threads = schemas.reply::<ThreadPage>();
    let status = text("status");
    paths.get(
        "/v1/threads",
        "list_threads",
        "Returns the threads of the store.",
        vec![status, after, limit],
        threads,
    );
    paths.post("/v1/threads", "start_thread", "Starts a thread.", &bodies.start, &thread);
    paths.get("/v1/threads/{thread}", "get_thread", "Returns a thread.", vec![], thread.clone());
    let history = schemas.reply::<HistoryPage>();
    let pages = vec![number("from"), number("limit")];
    paths.get(
        "/v1/threads/{thread}/history",
        "get_history",
        "Returns entries of the journal.",
        pages,
        history,
    );
    paths.events();
    let review = "/v1/threads/{thread}/reviews/{digest}";
    let preview = schemas.reply::<VerdictPreview>();
    let summary = "Returns what a verdict would do.";
    paths.post(&format!("{review}/preview"), "preview_verdict", summary, &bodies.verdict, &preview);
    paths.post(&format!("{review}/verdict"), "give_verdict", "Decides a review.", &bodies.verdict, &thread);
    let summary = "Decides several reviews of a thread, all of them or none.";
    paths.post("/v1/threads/{thread}/verdicts", "give_verdicts", summary, &bodies.verdicts, &thread);
    let settlement = "/v1/threads/{thread}/effects/{digest}/settlement";
    paths.post(
        settlement,
        "settle_effect",
        "Records how an effect in doubt ended.",
        &bodies.settlement,
        &thread,
    );
    let summary = "Resumes a thread, and retries a failed node.";
    paths.post("/v1/threads/{thread}/resume", "resume_thread", summary, &bodies.empty, &thread);
    for (action, summary) in [("pause", "Pauses"), ("unpause", "Lifts the pause of"), ("cancel", "Cancels")] {
        let path = format!("/v1/threads/{{thread}}/{action}");
        let of_thread = format!("{summary} a thread.");
        paths.post(&path, &format!("{action}_thread"), &of_thread, &bodies.stop, &thread);
        for scope in ["graph", "store"] {
            let summary = format!("{summary} all threads of the {scope}.");
            let path = format!("/v1/{scope}/{action}");
            paths.post(&path, &format!("{action}_{scope}"), &summary, &bodies.stop, &stops);
        }
    }
    paths.get("/v1/stops", "list_stops", "Returns the stops of graphs and of the store.", vec![], stops);
    let summary =
        "Previews one verdict on reviews of many threads; with the `confirm` of the preview, gives it.";
    let batch = schemas.reply::<BatchReply>();
    paths.post("/v1/batches", "give_batch", summary, &bodies.batch, &batch);
    let document = json!({ "type": "object" });
    paths.get("/v1/openapi.json", "get_description", "Returns this document.", vec![], document);
    paths.paths
}

/// The schemas of the bodies.
struct Bodies {
    start: Value,
    verdict: Value,
    verdicts: Value,
    settlement: Value,
    stop: Value,
    batch: Value,
    empty: Value,
}

impl Bodies {
    fn new(schemas: &mut Schemas, are_claimed: bool) -> Self {
        let verdict = one_verdict(schemas, "Verdict", &|| claims(are_claimed));
        let digest = || Member { name: "digest", schema: json!({ "type": "string" }), is_required: true };
        let of_review = one_verdict(schemas, "ReviewVerdict", &|| vec![digest()]);
        let reviews = schemas.reply::<BatchReview>();
        let of_batch = || {
            let reviews = json!({ "type": "array", "items": reviews, "minItems": 1, "maxItems": 100 });
            let confirm = json!({ "type": ["string", "null"] });
            let own = [("reviews", reviews, true), ("confirm", confirm, false)];
            let own = own.map(|(name, schema, is_required)| Member { name, schema, is_required });
            claims(are_claimed).into_iter().chain(own).collect()
        };
        let batch = one_verdict(schemas, "Batch", &of_batch);
        let settlement = schemas.body::<Settle>("Settlement", &claims(are_claimed), &["digest"]);
        let verdicts = json!({ "type": "array", "items": of_review, "minItems": 1 });
        Self {
            start: schemas.add(
                "Start",
                object(&[
                    Member { name: "thread_id", schema: json!({ "type": "string" }), is_required: true },
                    Member { name: "input", schema: json!({ "type": "object" }), is_required: true },
                ]),
            ),
            verdict,
            verdicts: schemas.add(
                "Verdicts",
                object(&with(
                    claims(are_claimed),
                    Member { name: "verdicts", schema: verdicts, is_required: true },
                )),
            ),
            settlement,
            stop: schemas.add(
                "Stop",
                object(&with(
                    claims(are_claimed),
                    Member { name: "reason", schema: json!({ "type": "string" }), is_required: false },
                )),
            ),
            batch,
            empty: schemas.add("Nothing", object(&claims(are_claimed))),
        }
    }
}

/// Adds the four verdicts, each with further members, and returns the choice of one.
fn one_verdict(schemas: &mut Schemas, suffix: &str, more: &dyn Fn() -> Vec<Member>) -> Value {
    let each = VERDICTS.map(|verdict| {
        let mut members = more();
        let schema = json!({ "const": verdict, "type": "string" });
        members.push(Member { name: "verdict", schema, is_required: true });
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

fn with(mut members: Vec<Member>, last: Member) -> Vec<Member> {
    members.push(last);
    members
}

/// The operator that a request claims.
fn claims(are_claimed: bool) -> Vec<Member> {
    if !are_claimed {
        return Vec::new();
    }
    let operator = json!({ "type": "string", "description": "The operator's name. It is not verified." });
    let roles = json!({ "type": "array", "items": { "type": "string" } });
    [("operator", operator), ("roles", roles)]
        .map(|(name, schema)| Member { name, schema, is_required: false })
        .into()
}

fn text(name: &str) -> Value {
    parameter(name, "query", json!({ "type": "string" }))
}

fn number(name: &str) -> Value {
    parameter(name, "query", json!({ "type": "integer", "minimum": 0 }))
}

fn parameter(name: &str, place: &str, schema: Value) -> Value {
    json!({ "name": name, "in": place, "required": place == "path", "schema": schema })
}

/// The paths of a document under construction.
struct Paths {
    are_claimed: bool,
    problem: Value,
    paths: Map<String, Value>,
}

impl Paths {
    fn get(&mut self, path: &str, id: &str, summary: &str, mut query: Vec<Value>, reply: Value) {
        if self.are_claimed {
            query.extend(claims(true).into_iter().map(|claim| parameter(claim.name, "query", claim.schema)));
        }
        let content = json!({ "application/json": { "schema": reply } });
        self.add(path, "get", id, summary, query, None, content);
    }

    fn post(&mut self, path: &str, id: &str, summary: &str, body: &Value, reply: &Value) {
        let content = json!({ "application/json": { "schema": reply } });
        self.add(path, "post", id, summary, Vec::new(), Some(body), content);
    }

    fn events(&mut self) {
        let last = parameter("Last-Event-ID", "header", json!({ "type": "string" }));
        let content = json!({ "text/event-stream": { "schema": { "type": "string" } } });
        let summary = "Sends the entries of a thread as they are stored.";
        let path = "/v1/threads/{thread}/events";
        self.add(path, "get", "get_events", summary, vec![number("after"), last], None, content);
        self.paths[path]["get"]["responses"]["204"] = json!({ "description": "The thread has ended." });
    }

    #[allow(clippy::too_many_arguments, reason = "each is a part of the operation")]
    fn add(
        &mut self,
        path: &str,
        method: &str,
        id: &str,
        summary: &str,
        mut parameters: Vec<Value>,
        body: Option<&Value>,
        content: Value,
    ) {
        for name in ["thread", "digest"] {
            if path.contains(&format!("{{{name}}}")) {
                parameters.push(parameter(name, "path", json!({ "type": "string" })));
            }
        }
        let mut operation = json!({
            "operationId": id,
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "200": { "description": "The request was executed.", "content": content },
                "default": {
                    "description": "The request was refused, and nothing has changed.",
                    "content": { "application/problem+json": { "schema": self.problem } },
                },
            },
        });
        if let Some(body) = body {
            operation["requestBody"] =
                json!({ "required": true, "content": { "application/json": { "schema": body } } });
        }
        let paths = self.paths.entry(path).or_insert_with(|| json!({}));
        paths[method] = operation;
    }
}
