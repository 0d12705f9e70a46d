//! `GET /v1/openapi.json`: the description of the API (OpenAPI 3.1).
//!
//! The schemas are generated from the types by which requests are parsed and replies are serialized, and from the types
//! of the graph's drafts. CI validates the document, and decides a review by a client that is generated from it.

mod bodies;
mod operations;
mod paths;
mod replies;
mod schemas;

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Response};
use hitl_runtime::plumbing::Engine;
use serde_json::{Map, Value, json};

use self::schemas::Schemas;
use super::exchange::respond;
use crate::{
    identity::{OperatorAuth, is_known},
    server::{AppState, ConnectionExtension, Refusal, receive, response},
};

/// Answers with the document, which is generated once. Where tokens are verified it takes one, as everything does here.
pub(super) async fn document(
    State(state): State<Arc<AppState>>,
    connection: ConnectionExtension,
    headers: HeaderMap,
) -> Response {
    let (span, connection) = (response::span(&headers), connection.map(|connection| connection.0));
    let describing = async {
        let caller = state.caller(headers, "http").await?;
        is_known(&state.operators, &caller)?;
        let execution = receive::begin_execution(connection.as_ref())?;
        let shared = Arc::clone(&state);
        let described = state.work(async move {
            let _execution = execution;
            let document = shared.description.get_or_init(|| {
                // Serialization cannot fail: it is JSON already.
                serde_json::to_vec(&describe(&shared.engine, &shared.operators)).unwrap_or_default().into()
            });
            Ok::<_, Refusal>(document.clone())
        });
        Ok(response::json_bytes(described.await?))
    };
    respond(span, connection.as_ref(), describing).await
}

/// Returns the description of the API of a graph.
fn describe(engine: &Engine, operators: &OperatorAuth) -> Value {
    let mut schemas = Schemas::new();
    let paths = paths::paths(&mut schemas, engine, operators.lets_anyone_decide());
    let reviews: Map<String, Value> = engine
        .review_schemas()
        .iter()
        .map(|review| {
            let draft = schemas.draft(review);
            (review.node.to_owned(), json!({ "field": review.field, "draft": draft }))
        })
        .collect();
    let spec = engine.graph.spec;
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": spec.name,
            "description": spec.docs.trim(),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "tags": paths::tags(),
        "paths": paths,
        "components": { "schemas": schemas.into_components() },
        // The draft of each review, by its node.
        "x-hitl-reviews": reviews,
    });
    if operators.verifies() {
        document["components"]["securitySchemes"] =
            json!({ "token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } });
        document["security"] = json!([{ "token": [] }]);
    }
    document
}
