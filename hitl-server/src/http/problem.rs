//! Errors as problem details (RFC 9457).

use axum::{
    extract::Request,
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
};
use hitl_runtime::ThreadId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{api::ApiError, server::response};

/// The page that describes each code.
const CODES: &str = "https://docs.rs/hitl/latest/hitl/codes/index.html";

/// An error response (RFC 9457). The error's further data are members beside these.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// The page that describes the code, with the code as its fragment.
    #[serde(rename = "type")]
    kind: String,
    /// The code in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The problem and its solution, for people.
    detail: String,
    /// The stable code, for programs.
    code: &'static str,
    /// The invalid fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    errors: Vec<FieldError>,
    #[serde(flatten)]
    #[schemars(skip)]
    more: Map<String, Value>,
}

/// An invalid field.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct FieldError {
    /// The path of the field: in the draft, as in `draft.amount`, or in the body of the request.
    path: String,
    /// The description of the violation.
    detail: String,
}

impl Problem {
    /// The members of a problem that no data of an error replace.
    const OWN: [&str; 6] = ["type", "title", "status", "detail", "code", "errors"];

    fn new(error: ApiError) -> Self {
        let ApiError { status, code, message, details: mut more } = error;
        let errors = field_errors(&message, &mut more);
        more.retain(|name, _| !Self::OWN.contains(&name.as_str()));
        // What is about all threads has an internal name as its thread.
        let is_reserved = |name: &str| ThreadId::existing(name).is_ok_and(|thread| thread.is_reserved());
        if more.get("thread").and_then(Value::as_str).is_some_and(is_reserved) {
            more.remove("thread");
        }
        let mut title = code.replace('_', " ");
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Self { kind: format!("{CODES}#{code}"), title, status, detail: message, code, errors, more }
    }
}

/// Returns the invalid fields of an error, and removes the data that are then told twice.
fn field_errors(message: &str, details: &mut Map<String, Value>) -> Vec<FieldError> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let field = text(details.get("field"));
    let at = |path: &str| match (field.as_str(), path) {
        ("", path) => path.to_owned(),
        (field, "") => field.to_owned(),
        (field, path) => format!("{field}.{path}"),
    };
    if let Some(Value::Array(violations)) = details.remove("violations") {
        let errors = violations.iter().map(|violation| FieldError {
            path: at(&text(violation.get("path"))),
            detail: text(violation.get("message")),
        });
        return errors.collect();
    }
    match text(details.remove("path").as_ref()).as_str() {
        "" if field.is_empty() => Vec::new(),
        path => vec![FieldError { path: at(path), detail: message.to_owned() }],
    }
}

/// Returns whether a path is one of the HTTP API.
fn is_of_api(path: &str) -> bool {
    path.strip_prefix("/v1").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers an error on a path of the HTTP API with a problem, also that of a check in front of the routes. No response
/// on these paths is cached.
pub(crate) async fn as_problem(request: Request, next: Next) -> Response {
    if !is_of_api(request.uri().path()) {
        return next.run(request).await;
    }
    let mut answered = next.run(request).await;
    if let Some(error) = answered.extensions_mut().remove::<ApiError>() {
        let mut headers = std::mem::take(answered.headers_mut());
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let status = answered.status();
        answered = response::json(status, &Problem::new(error));
        *answered.headers_mut() = headers;
    }
    answered.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answered
}

#[cfg(test)]
mod tests {
    use hitl_runtime::{Error, ThreadId, Violation};
    use serde_json::json;

    use super::*;

    fn problem(error: impl Into<ApiError>) -> Value {
        serde_json::to_value(Problem::new(error.into())).unwrap()
    }

    #[test]
    fn a_problem_has_the_paths_of_the_invalid_fields() {
        let thread = ThreadId::new("t").unwrap();
        let violations = vec![Violation::new("amount", "greater than 10000"), Violation::new("", "odd")];
        let invalid = problem(Error::Invalid { thread: thread.clone(), field: "draft".into(), violations });
        assert_eq!(
            invalid["errors"],
            json!([
                { "path": "draft.amount", "detail": "greater than 10000" },
                { "path": "draft", "detail": "odd" },
            ])
        );
        assert_eq!((&invalid["status"], &invalid["thread"]), (&json!(422), &json!("t")));
        assert_eq!(invalid.get("violations"), None);
        let key = Error::UnknownKey { thread, field: "draft".into(), path: "ammount".into(), near: None };
        assert_eq!(problem(key)["errors"][0]["path"], "draft.ammount");
    }

    #[test]
    fn the_members_of_a_problem_are_not_replaced() {
        let error =
            ApiError::new(409, "already_decided", "by noor").detail("status", 200).detail("by", "noor");
        let problem = problem(error);
        assert_eq!(
            problem,
            json!({
                "type": format!("{CODES}#already_decided"), "title": "Already decided", "status": 409,
                "detail": "by noor", "code": "already_decided", "by": "noor",
            })
        );
    }
}
