//! Operations: the parameters, the body and the responses of a method of a path.

use serde_json::{Map, Value, json};

use super::{
    bodies::{Body, claims},
    schemas::Schemas,
};
use crate::http::problem::Problem;

/// The responses with an error that an operation may have: the status, and the meaning.
const PROBLEMS: [(&str, &str); 8] = [
    ("400", "A parameter or a member of the body is missing or invalid; `errors` names it."),
    ("401", "The request has no valid token, or no operator."),
    ("403", "The caller or the operator may not do this."),
    ("404", "The thread does not exist, or not for this caller."),
    ("409", "The state of the thread has changed, or does not allow this: read the thread."),
    ("422", "The draft or the verdict is invalid; `errors` names the fields."),
    (
        "503",
        "The server is busy (`busy`), and has not executed the request. With any other code the outcome is unknown: read \
         the thread.",
    ),
    ("default", "Another error. With a status of 5xx the outcome is unknown: read the thread."),
];

/// A method of a path.
pub(super) struct Operation<'a> {
    pub(super) tag: &'static str,
    /// The name of the operation, of which generators of clients make the name of a function.
    pub(super) id: &'a str,
    pub(super) summary: &'a str,
}

/// Returns the parameter of a query.
pub(super) fn query(name: &str, schema: Value) -> Value {
    parameter(name, "query", schema)
}

/// Returns the parameter of a query that is text.
pub(super) fn text(name: &str) -> Value {
    query(name, json!({ "type": "string" }))
}

/// Returns the parameter of a place in a journal.
pub(super) fn place(name: &str) -> Value {
    query(name, json!({ "type": "integer", "minimum": 0 }))
}

fn parameter(name: &str, place: &str, schema: Value) -> Value {
    json!({ "name": name, "in": place, "required": place == "path", "schema": schema })
}

/// The paths of a document under construction.
pub(super) struct Paths {
    are_claimed: bool,
    problem: Value,
    /// The schemas of the parameters of a path, by name.
    of_path: [(&'static str, Value); 2],
    paths: Map<String, Value>,
}

impl Paths {
    pub(super) fn new(schemas: &mut Schemas, are_claimed: bool) -> Self {
        let thread = json!({ "type": "string", "minLength": 1 });
        let digest = json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" });
        Self {
            are_claimed,
            problem: schemas.reply::<Problem>(),
            of_path: [("thread", thread), ("digest", digest)],
            paths: Map::new(),
        }
    }

    pub(super) fn into_paths(self) -> Map<String, Value> {
        self.paths
    }

    /// Adds a request that reads. It may claim an operator.
    pub(super) fn get(
        &mut self,
        path: &str,
        operation: &Operation<'_>,
        mut query: Vec<Value>,
        reply: &Value,
    ) {
        query.extend(self.claims());
        self.add(path, operation, query, None, &json(reply));
    }

    /// Adds the request for the description, which takes no parameters.
    pub(super) fn description(&mut self, path: &str, operation: &Operation<'_>) {
        self.add(path, operation, Vec::new(), None, &json(&json!({ "type": "object" })));
    }

    /// Adds the request for the events of a thread.
    pub(super) fn events(&mut self, path: &str, operation: &Operation<'_>) {
        let last = parameter("Last-Event-ID", "header", json!({ "type": "string" }));
        let mut parameters = vec![place("after"), last];
        parameters.extend(self.claims());
        let content = json!({ "text/event-stream": { "schema": { "type": "string" } } });
        self.add(path, operation, parameters, None, &content);
        self.paths[path]["get"]["responses"]["204"] = json!({ "description": "The thread has ended." });
    }

    /// Adds a request with a body.
    pub(super) fn post(&mut self, path: &str, operation: &Operation<'_>, body: &Body, reply: &Value) {
        self.add(path, operation, Vec::new(), Some(body), &json(reply));
    }

    fn claims(&self) -> impl Iterator<Item = Value> + use<> {
        claims(self.are_claimed).into_iter().map(|claim| query(claim.name, claim.schema))
    }

    fn add(
        &mut self,
        path: &str,
        operation: &Operation<'_>,
        mut parameters: Vec<Value>,
        body: Option<&Body>,
        content: &Value,
    ) {
        for (name, schema) in &self.of_path {
            if path.contains(&format!("{{{name}}}")) {
                parameters.push(parameter(name, "path", schema.clone()));
            }
        }
        let mut responses = Map::new();
        responses.insert(
            "200".to_owned(),
            json!({ "description": "The request was executed.", "content": content }),
        );
        for (status, description) in PROBLEMS {
            let applies = match status {
                "404" => path.contains("{thread}"),
                "409" | "422" => body.is_some(),
                _ => true,
            };
            if applies {
                let content = json!({ "application/problem+json": { "schema": self.problem } });
                let response = json!({ "description": description, "content": content });
                responses.insert(status.to_owned(), response);
            }
        }
        let Operation { tag, id, summary } = operation;
        let mut described = json!({
            "operationId": id,
            "tags": [tag],
            "summary": summary,
            "parameters": parameters,
            "responses": responses,
        });
        if let Some(Body { schema, examples }) = body {
            let mut content = json!({ "schema": schema });
            if !examples.is_empty() {
                content["examples"] = json!(examples);
            }
            described["requestBody"] =
                json!({ "required": true, "content": { "application/json": content } });
        }
        let method = if body.is_some() { "post" } else { "get" };
        let methods = self.paths.entry(path).or_insert_with(|| json!({}));
        methods[method] = described;
    }
}

fn json(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}
