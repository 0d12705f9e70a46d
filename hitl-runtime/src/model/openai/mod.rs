//! Models behind an API like OpenAI's chat completions: Ollama, llama.cpp, vLLM, and many hosts.

mod connection;
mod error;
mod key;
mod stream;
mod wire;

use std::{fmt, time::Duration};

use connection::Connection;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream::once};
use key::{Key, redacted_url};

use super::{BoxFuture, BoxStream, Chunk, Completion, Model, ModelError, Request, schema::ObjectSchema};

/// A model behind an API like OpenAI's chat completions, as Ollama, llama.cpp, vLLM and many hosts offer it.
///
/// A response schema ([`ModelExt::structured`](super::ModelExt::structured)) is sent as `response_format` with the
/// whole JSON Schema and without `strict`: local servers enforce it anyway, and OpenAI's strict mode accepts only a
/// subset of JSON Schema. This type retries nothing: set `retries = 3` on the node.
///
/// ```no_run
/// # async fn example() -> Result<(), hitl::model::ModelError> {
/// use hitl::model::{ModelExt, OpenAi};
///
/// let model = OpenAi::new("http://localhost:11434/v1", "llama3.2");
/// let plan = model.text("Order A-9133 arrived broken. What is to be done?").await?;
/// # Ok(())
/// # }
/// ```
pub struct OpenAi {
    url: String,
    model: String,
    key: Option<Key>,
    connection: Connection,
}

impl OpenAi {
    /// Creates a model from the URL of its endpoint, up to and including `/v1`, and its name there.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        let url = url.into().trim_end_matches('/').to_owned();
        Self { url, model: model.into(), key: None, connection: Connection::default() }
    }

    /// Sets the API key. It is sent to the endpoint only; errors, logs and `Debug` never show it.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(Key::new(key.into()));
        self
    }

    /// Sets how long to wait without receiving anything: for the response to begin (of a request that does not stream,
    /// usually the whole generation), then for each part of its body. The default is 2 minutes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.connection.timeout = timeout;
        self
    }

    async fn send(
        &self,
        request: &Request,
        object_schema: Option<&ObjectSchema>,
        stream: bool,
    ) -> Result<reqwest::Response, ModelError> {
        let body = wire::body(&self.model, request, object_schema, stream).to_string();
        let mut call = self.connection.client()?.post(format!("{}/chat/completions", self.url));
        if let Some(key) = &self.key {
            call = call.header("authorization", key.header()?);
        }
        let call = call.header("content-type", "application/json").body(body).send();
        let response = self
            .connection
            .with_timeout(call)
            .await?
            .map_err(|error| error::from_send_error(error, &redacted_url(&self.url)))?;
        if response.status().is_success() { Ok(response) } else { Err(self.response_error(response).await) }
    }

    async fn response_error(&self, response: reqwest::Response) -> ModelError {
        let (status, wait) = (response.status().as_u16(), error::retry_after(response.headers()));
        // The body only adds detail: if it cannot be read, the status alone decides.
        let body = self.connection.read(response).await.unwrap_or_default();
        error::from_response(status, wait, &body, self)
    }

    async fn send_and_read(&self, request: &Request) -> Result<Completion, ModelError> {
        let object_schema = request.response_schema.as_ref().map(ObjectSchema::new);
        let response = self.send(request, object_schema.as_ref(), false).await?;
        let body = self.connection.read(response).await?;
        let response =
            serde_json::from_slice::<wire::ChatCompletion>(&body).map_err(error::from_json_error)?;
        wire::into_completion(response, object_schema.as_ref())
    }

    async fn open_stream(&self, request: &Request) -> Result<stream::CompletionStream<'_>, ModelError> {
        let object_schema = request.response_schema.as_ref().map(ObjectSchema::new);
        let response = self.send(request, object_schema.as_ref(), true).await?;
        Ok(stream::CompletionStream::new(self, response, object_schema))
    }
}

impl Model for OpenAi {
    fn complete<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Completion, ModelError>> {
        self.send_and_read(request).boxed()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Chunk, ModelError>> {
        once(self.open_stream(request)).map_ok(stream::CompletionStream::into_chunks).try_flatten().boxed()
    }

    fn name(&self) -> &str {
        &self.model
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi")
            .field("url", &redacted_url(&self.url))
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}
