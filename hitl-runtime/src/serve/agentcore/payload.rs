//! Reading and parsing the body of a request.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use futures_util::StreamExt;
use serde_json::Value;

use super::{bounded, connections::Connection};
use crate::{Violation, journal::exact, serve::wire::Refusal};

/// The default maximum size of a request in bytes. A thread's state is far smaller.
pub(super) const LARGEST: usize = 1024 * 1024;

/// The number of bytes read and discarded from a body that is too large, so that its sender gets to read the refusal.
const DRAINED: usize = 128 * 1024 * 1024;

/// Reads a body to its end within `patience`, and returns it if it has at most `largest` bytes.
pub(super) async fn read(
    body: Body,
    largest: usize,
    patience: Duration,
    connection: Option<&Connection>,
) -> Result<Vec<u8>, Refusal> {
    if body.size_hint().lower() > DRAINED as u64 {
        return Err(too_large(largest));
    }
    let reading = async {
        let mut stream = body.into_data_stream();
        let (mut bytes, mut length) = (Vec::new(), 0_usize);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| invalid_json("the request broke off"))?;
            length = length.saturating_add(chunk.len());
            if length <= largest {
                if let Some(connection) = connection {
                    connection.takes(length)?;
                }
                bytes.extend_from_slice(&chunk);
            } else {
                bytes = Vec::new();
            }
            if length > DRAINED {
                break;
            }
        }
        if length > largest { Err(too_large(largest)) } else { Ok(bytes) }
    };
    tokio::time::timeout(patience, reading).await.unwrap_or_else(|_| {
        Err(Refusal::new(408, "too_slow", format!("the request did not come whole within {patience:?}")))
    })
}

/// Reads a body to its end and discards it: a client that is still sending would get a broken pipe instead of the
/// response.
pub(super) async fn drain(body: Body, patience: Duration) {
    let _ = read(body, 0, patience, None).await;
}

/// Parses the JSON of a body.
pub(super) fn parse(bytes: &[u8], largest: usize, connection: Option<&Connection>) -> Result<Value, Refusal> {
    if bytes.len() > largest {
        return Err(too_large(largest));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Refusal::new(
            400,
            "invalid_encoding",
            format!("the request is not UTF-8 from byte {} on", error.valid_up_to()),
        )
    })?;
    let weight = bounded::weigh(text)?;
    if let Some(connection) = connection {
        connection.takes(weight)?;
    }
    // Rejects NaN and infinity (RFC 8259), and numbers that would be rounded.
    exact::parse(text).map_err(|error| invalid_json(&Violation::from(error).to_string()))
}

fn too_large(largest: usize) -> Refusal {
    Refusal::new(413, "too_large", format!("a request has {largest} bytes at most")).detail("limit", largest)
}

pub(super) fn invalid_json(problem: &str) -> Refusal {
    Refusal::new(400, "invalid_json", format!("the request is no JSON: {problem}"))
}
