//! Conversion of the endpoint's errors into [`ModelError`].

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use super::{OpenAi, connection::MAX_RESPONSE_BYTES, key::redacted_url};
use crate::{model::ModelError, text::causes};

const SET_A_KEY: &str =
    "set the API key with `OpenAi::key`, or in OPENAI_API_KEY if HITL_MODEL names the model";
const CHECK_THE_KEY: &str = "check that the API key is for this endpoint and still valid";

/// The body of an error. Some servers leave out the `error` envelope.
#[derive(Default, Deserialize)]
struct Body {
    error: Option<Value>,
    message: Option<String>,
}

#[derive(Default)]
struct ErrorDetails {
    message: String,
    code: String,
}

impl ErrorDetails {
    fn parse(body: &[u8], model: &OpenAi) -> Option<Self> {
        let body = serde_json::from_slice::<Body>(body).ok()?;
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let (message, code) = match &body.error {
            Some(Value::String(message)) => (Some(message.clone()), None),
            Some(error @ Value::Object(_)) => {
                (text(error, "message"), text(error, "code").or_else(|| text(error, "type")))
            }
            _ => (body.message, None),
        };
        let message = message?;
        let message = model.key.as_ref().map_or(message.clone(), |key| key.redact(&message));
        Some(Self { message: message.chars().take(500).collect(), code: code.unwrap_or_default() })
    }
}

/// Converts a response whose status is not a success.
pub(super) fn from_response(status: u16, wait: Option<Duration>, body: &[u8], model: &OpenAi) -> ModelError {
    let details = ErrorDetails::parse(body, model);
    let is_of_api = details.is_some();
    let ErrorDetails { message, code } = details.unwrap_or_default();
    let message = if message.is_empty() {
        format!("the endpoint returned status {status} without a message")
    } else {
        message
    };
    match (status, code.as_str()) {
        (_, "content_filter") => ModelError::Filtered,
        (_, "insufficient_quota") | (402, _) => ModelError::Denied {
            problem: format!("{message}; add credit to the account, or raise its quota"),
            source: None,
        },
        (_, "model_not_found") => unknown_model(model),
        // For an invalid key the message of the endpoint quotes the key, so it is not shown.
        (401, _) if model.key.is_none() => ModelError::NoCredentials { advice: SET_A_KEY, source: None },
        (401, _) => ModelError::BadCredentials { advice: CHECK_THE_KEY, source: None },
        (403, _) => ModelError::Denied { problem: message, source: None },
        (404, _) if is_of_api => unknown_model(model),
        (300..=399 | 404 | 405, _) => ModelError::Unconfigured {
            problem: format!(
                "{} does not offer chat completions: {message}; the URL should end in `/v1`",
                redacted_url(&model.url)
            ),
        },
        (408 | 504, _) => ModelError::TimedOut { after: None, source: None },
        (429, _) => ModelError::Throttled { wait, source: None },
        (400..=499, _) => ModelError::InvalidRequest { problem: message, source: None },
        _ => ModelError::Unavailable { problem: format!("{message}; retry"), source: None },
    }
}

/// Converts an error that is sent as an event of a stream, after a success status.
pub(super) fn midstream(data: &[u8], model: &OpenAi) -> Option<ModelError> {
    let error = serde_json::from_slice::<Body>(data).ok()?.error?;
    let status = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    Some(match ErrorDetails::parse(data, model)?.code.as_str() {
        "rate_limit_exceeded" | "rate_limit_error" => ModelError::Throttled { wait: None, source: None },
        _ => from_response(status.unwrap_or(500), None, data, model),
    })
}

fn unknown_model(model: &OpenAi) -> ModelError {
    ModelError::UnknownModel { model: model.model.clone(), source: None }
}

/// Reads `Retry-After` in seconds. A date is ignored.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get("retry-after")?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Converts an error of creating the HTTP client.
pub(super) fn from_client_error(error: reqwest::Error) -> ModelError {
    let problem = format!("the HTTP client could not be created: {}", causes(&error.without_url()));
    ModelError::Unconfigured { problem }
}

/// Converts an error of sending the request. The URL may contain a password, so it is removed from the cause.
pub(super) fn from_send_error(error: reqwest::Error, endpoint: &str) -> ModelError {
    if error.is_builder() {
        return ModelError::Unconfigured {
            problem: format!(
                "`{endpoint}` is not the URL of an endpoint; write it in full, with http:// or https://"
            ),
        };
    }
    let source = Some(error.without_url().into());
    ModelError::Unavailable {
        problem: format!("{endpoint} could not be reached; check that it is running"),
        source,
    }
}

pub(super) fn from_body_error(error: reqwest::Error) -> ModelError {
    let source = Some(error.without_url().into());
    ModelError::Unavailable {
        problem: "the connection was lost before the response was complete; retry".into(),
        source,
    }
}

/// Converts a JSON error into its position alone: the text of serde's error quotes the response, which may quote the
/// key.
pub(super) fn from_json_error(error: serde_json::Error) -> ModelError {
    let (line, column) = (error.line(), error.column());
    let problem = format!(
        "the response is not a chat completion (line {line}, column {column}); check that the endpoint offers chat \
         completions"
    );
    ModelError::Unavailable { problem, source: None }
}

pub(super) fn too_large() -> ModelError {
    ModelError::Unavailable {
        problem: format!("the response exceeds {} MiB; check the endpoint", MAX_RESPONSE_BYTES >> 20),
        source: None,
    }
}
