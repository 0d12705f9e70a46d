//! The HTTP client, created on first use.

use std::{future::Future, sync::OnceLock, time::Duration};

use reqwest::{Client, Response, redirect::Policy};

use super::error;
use crate::model::ModelError;

/// The maximum size of a response, in bytes. A server that sends more is treated as broken.
pub(super) const MAX_RESPONSE_BYTES: usize = 32 << 20;

pub(super) struct Connection {
    client: OnceLock<Client>,
    /// The time to wait without receiving anything.
    pub timeout: Duration,
}

impl Default for Connection {
    fn default() -> Self {
        Self { client: OnceLock::new(), timeout: Duration::from_secs(120) }
    }
}

impl Connection {
    /// Returns the client. It follows no redirects, because the API key is meant for the configured endpoint only.
    pub fn client(&self) -> Result<&Client, ModelError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder().redirect(Policy::none()).build();
        let client = client.map_err(error::from_client_error)?;
        Ok(self.client.get_or_init(|| client))
    }

    pub async fn with_timeout<T>(&self, call: impl Future<Output = T>) -> Result<T, ModelError> {
        tokio::time::timeout(self.timeout, call)
            .await
            .map_err(|_| ModelError::TimedOut { after: Some(self.timeout), source: None })
    }

    /// Reads the whole body. The timeout applies to each part of it, as in a stream.
    pub async fn read(&self, mut response: Response) -> Result<Vec<u8>, ModelError> {
        let mut body = Vec::new();
        while let Some(part) = self.with_timeout(response.chunk()).await?.map_err(error::from_body_error)? {
            body.extend_from_slice(&part);
            if body.len() > MAX_RESPONSE_BYTES {
                return Err(error::too_large());
            }
        }
        Ok(body)
    }
}
