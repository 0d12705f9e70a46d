//! `GET /v1/openapi.json`: the description of the API (OpenAPI 3.1).

use axum::response::Response;

pub(super) async fn document() -> Response {
    crate::server::response::json(axum::http::StatusCode::OK, &serde_json::json!({}))
}
