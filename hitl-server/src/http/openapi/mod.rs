//! `GET /v1/openapi.json`: the description of the API (OpenAPI 3.1).
//!
//! The schemas are generated from the types by which requests are parsed and replies are serialized, and from the types of
//! the graph's drafts. CI validates the document, and decides a review by a client that is generated from it.

mod paths;
mod replies;
mod schemas;

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use hitl_runtime::plumbing::Engine;
use serde_json::{Map, Value, json};

use self::schemas::Schemas;
use crate::{
    identity::{OperatorAuth, is_known},
    server::{AppState, response},
};

/// Answers with the document. Where tokens are verified it takes one, as everything does here.
pub(super) async fn document(State(state): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    let shared = Arc::clone(&state);
    let described = async {
        let caller = state.caller(headers, "http").await?;
        is_known(&state.operators, &caller)?;
        state.work(async move { Ok(describe(&shared.engine, &shared.operators)) }).await
    };
    match described.await {
        Ok(document) => response::json(StatusCode::OK, &document),
        Err(error) => response::error(&error),
    }
}

/// Returns the description of the API of a graph.
fn describe(engine: &Engine, operators: &OperatorAuth) -> Value {
    let mut schemas = Schemas::new();
    let paths = paths::paths(&mut schemas, operators.lets_anyone_decide());
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
