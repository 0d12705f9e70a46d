//! The bytes of a request.

use axum::body::Body;
use futures_util::StreamExt;
use serde_json::Value;

use crate::serve::wire::Refusal;

/// The largest payload that is read. The service passes on up to 100 MB; a thread's state is far below this.
pub(super) const LARGEST: usize = 16 * 1024 * 1024;

/// What a caller that sends too much may still send, so that it comes to read why it was refused.
const DRAINED: usize = 128 * 1024 * 1024;

/// Reads a body to its end, and keeps it if it is not too large.
pub(super) async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    let mut stream = body.into_data_stream();
    let (mut bytes, mut length) = (Vec::new(), 0_usize);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| invalid_json("the request broke off"))?;
        length = length.saturating_add(chunk.len());
        if length <= LARGEST {
            bytes.extend_from_slice(&chunk);
        } else {
            bytes = Vec::new();
        }
        if length > DRAINED {
            break;
        }
    }
    if length > LARGEST { Err(too_large()) } else { Ok(bytes) }
}

/// The JSON in it.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    if bytes.len() > LARGEST {
        return Err(too_large());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Refusal::new(
            400,
            "invalid_encoding",
            format!("the request is not UTF-8 from byte {} on", error.valid_up_to()),
        )
    })?;
    // serde_json stops at 128 levels, and has no NaN and no infinity (RFC 8259).
    serde_json::from_str(text).map_err(|error| invalid_json(&error.to_string()))
}

fn too_large() -> Refusal {
    Refusal::new(413, "too_large", format!("a request has {LARGEST} bytes at most")).detail("limit", LARGEST)
}

fn invalid_json(problem: &str) -> Refusal {
    Refusal::new(400, "invalid_json", format!("the request is no JSON: {problem}"))
}
