//! Reading and parsing the body of a request.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use futures_util::StreamExt;
use hitl_runtime::{Violation, plumbing::exact};
use serde_json::Value;

use super::{connections::Connection, json_limits};
use crate::api::ApiError;

/// The default maximum size of a request in bytes. A thread's state is far smaller.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// The number of bytes read and discarded from a body that is too large, so that its sender gets to read the error.
const MAX_DRAINED: usize = 128 * 1024 * 1024;

/// Reads a body to its end within `timeout`, and returns it if it has at most `max_bytes` bytes.
pub(crate) async fn read(
    body: Body,
    max_bytes: usize,
    timeout: Duration,
    connection: Option<&Connection>,
) -> Result<Vec<u8>, ApiError> {
    if body.size_hint().lower() > MAX_DRAINED as u64 {
        return Err(too_large(max_bytes));
    }
    let reading = async {
        let mut stream = body.into_data_stream();
        let (mut bytes, mut length) = (Vec::new(), 0_usize);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| invalid_json("the body is incomplete"))?;
            length = length.saturating_add(chunk.len());
            if length <= max_bytes {
                if let Some(connection) = connection {
                    connection.reserve_memory(length)?;
                }
                bytes.extend_from_slice(&chunk);
            } else {
                bytes = Vec::new();
            }
            if length > MAX_DRAINED {
                break;
            }
        }
        if length > max_bytes { Err(too_large(max_bytes)) } else { Ok(bytes) }
    };
    tokio::time::timeout(timeout, reading).await.unwrap_or_else(|_| {
        Err(ApiError::new(408, "too_slow", format!("the body did not arrive completely within {timeout:?}")))
    })
}

/// Reads a body to its end and discards it: a client that is still sending would get a broken pipe instead of the
/// response.
pub(crate) async fn drain(body: Body, timeout: Duration) {
    let _ = read(body, 0, timeout, None).await;
}

/// Parses the JSON of a body.
pub(crate) fn parse(
    bytes: &[u8],
    max_bytes: usize,
    connection: Option<&Connection>,
) -> Result<Value, ApiError> {
    if bytes.len() > max_bytes {
        return Err(too_large(max_bytes));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        ApiError::new(
            400,
            "invalid_encoding",
            format!("the request is not valid UTF-8 at byte {}", error.valid_up_to()),
        )
    })?;
    let memory = json_limits::estimate_memory(text)?;
    if let Some(connection) = connection {
        connection.reserve_memory(memory)?;
    }
    // Rejects NaN and infinity (RFC 8259), and numbers that would be rounded.
    exact::parse(text).map_err(|error| invalid_json(&Violation::from(error).to_string()))
}

fn too_large(max_bytes: usize) -> ApiError {
    ApiError::new(413, "too_large", format!("the request is larger than {max_bytes} bytes"))
        .detail("limit", max_bytes)
}

pub(crate) fn invalid_json(problem: &str) -> ApiError {
    ApiError::new(400, "invalid_json", format!("the request is not valid JSON: {problem}"))
}
