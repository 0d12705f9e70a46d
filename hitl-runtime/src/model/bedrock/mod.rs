//! Models and guardrails on Amazon Bedrock: `Converse`, `ConverseStream`, `ApplyGuardrail`.

mod assessment;
mod connection;
mod converse;
mod document;
mod error;
mod guardrail;
mod stream;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_bedrockruntime::{Client, error::ProvideErrorMetadata};
use connection::Connection;
use converse::{ConverseRequest, Mode};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream::once};
pub use guardrail::Guardrail;

use super::{BoxFuture, BoxStream, Chunk, Completion, Model, ModelError, Request};

/// A model on Amazon Bedrock, or behind an endpoint with the same API.
///
/// No environment variable is read and no connection is made before the first request: a platform may snapshot a
/// process after its start, and all copies of it would share what was set up before. Region and credentials are then
/// found through the default provider chain of the AWS SDK (`AWS_REGION`, `AWS_PROFILE`, the role of the container,
/// `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`, …).
///
/// A response schema ([`ModelExt::structured`](super::ModelExt::structured)) is requested with Converse's native
/// structured output. If the service rejects that for this model or schema, the schema is requested with a forced tool
/// instead, and so is every later request for it. The SDK retries throttling, timeouts, errors of the service (5xx) and
/// network errors before it reports them: see [`Bedrock::new`].
///
/// ```no_run
/// # async fn example() -> Result<(), hitl::model::ModelError> {
/// use hitl::model::{Bedrock, Guardrail, ModelExt};
///
/// let model = Bedrock::new("eu.anthropic.claude-sonnet-4-5-20250929-v1:0").guardrail(Guardrail::new("gr42", "3"));
/// let plan = model.text("Order A-9133 arrived broken. What is to be done?").await?;
/// # Ok(())
/// # }
/// ```
pub struct Bedrock {
    model: String,
    connection: Connection,
    guardrail: Option<Guardrail>,
    forced_tool: bool,
    /// The names of the response schemas that the service rejects as native structured output.
    tool_schemas: Mutex<BTreeSet<String>>,
}

impl Bedrock {
    /// Creates a model from its id, or from the ARN or id of an inference profile.
    ///
    /// A call that the service throttles is retried for half a minute on average, up to 8 attempts within the
    /// [`timeout`](Self::timeout). So is one that ends with a timeout, a 5xx or a network error. `AWS_MAX_ATTEMPTS` changes
    /// the number of attempts, and so does `max_attempts` in the profile. A `max_attempts = 3` there is taken for the
    /// default of the SDK: set `AWS_MAX_ATTEMPTS=3` for three attempts.
    pub fn new(model: impl Into<String>) -> Self {
        Self::with_connection(Connection::from_env(), model)
    }

    /// Creates a model with a client of yours, which keeps its own retries.
    pub fn with_client(client: Client, model: impl Into<String>) -> Self {
        Self::with_connection(Connection::from(client), model)
    }

    fn with_connection(connection: Connection, model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            connection,
            guardrail: None,
            forced_tool: false,
            tool_schemas: Mutex::default(),
        }
    }

    /// Adds a guardrail around the model. A stream yields a text only after the guardrail has checked it.
    #[must_use]
    pub fn guardrail(mut self, guardrail: Guardrail) -> Self {
        self.guardrail = Some(guardrail);
        self
    }

    /// Sets how long to wait: for a whole response, or for a stream to open and for each of its events. The default is
    /// 2 minutes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.connection.timeout = timeout;
        self
    }

    /// Requests response schemas with a forced tool only, never with native structured output.
    #[must_use]
    pub fn forced_tool(mut self) -> Self {
        self.forced_tool = true;
        self
    }

    fn mode(&self, request: &Request) -> Mode {
        let Some(schema) = &request.response_schema else { return Mode::Text };
        let tool_schemas = self.tool_schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if self.forced_tool || tool_schemas.contains(&schema.name) { Mode::Tool } else { Mode::Native }
    }

    fn use_tool_for(&self, request: &Request) {
        if let Some(schema) = &request.response_schema {
            self.tool_schemas.lock().unwrap_or_else(PoisonError::into_inner).insert(schema.name.clone());
        }
    }

    async fn send_and_read(&self, request: &Request, mode: Mode) -> Result<Completion, ModelError> {
        let converse = ConverseRequest::new(request, mode)?;
        let mut call = converse.apply_to(self.connection.client().await?.converse().model_id(&self.model));
        if let Some(guardrail) = &self.guardrail {
            call = call.guardrail_config(guardrail.config());
        }
        let output =
            self.connection.with_timeout(call.send()).await?.map_err(|error| self.model_error(error))?;
        Ok(converse.read(output, self.guardrail.as_ref()))
    }

    async fn open_stream(
        &self,
        request: &Request,
        mode: Mode,
    ) -> Result<stream::CompletionStream<'_>, ModelError> {
        let converse = ConverseRequest::new(request, mode)?;
        let mut call =
            converse.apply_to(self.connection.client().await?.converse_stream().model_id(&self.model));
        if let Some(guardrail) = &self.guardrail {
            call = call.guardrail_config(guardrail.stream_config());
        }
        let output =
            self.connection.with_timeout(call.send()).await?.map_err(|error| self.model_error(error))?;
        Ok(stream::CompletionStream::new(self, output.stream, converse))
    }

    fn model_error<E>(&self, error: aws_sdk_bedrockruntime::error::SdkError<E>) -> ModelError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        error::from_sdk_error(error, &self.model, self.connection.timeout)
    }
}

/// Requests native structured output first and, if the service rejects the request, a forced tool. If the tool works,
/// it is used for this schema from then on; if not, the request itself is at fault, and the second error is returned.
macro_rules! with_tool_fallback {
    ($model:expr, $request:expr, $call:ident) => {{
        let mode = $model.mode($request);
        match $model.$call($request, mode).await {
            Err(ModelError::InvalidRequest { .. }) if mode == Mode::Native => {
                let completion = $model.$call($request, Mode::Tool).await;
                if completion.is_ok() {
                    $model.use_tool_for($request);
                }
                completion
            }
            completion => completion,
        }
    }};
}

impl Model for Bedrock {
    fn complete<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Completion, ModelError>> {
        async move { with_tool_fallback!(self, request, send_and_read) }.boxed()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Chunk, ModelError>> {
        once(async move { with_tool_fallback!(self, request, open_stream) })
            .map_ok(stream::CompletionStream::into_chunks)
            .try_flatten()
            .boxed()
    }

    fn name(&self) -> &str {
        &self.model
    }
}

impl fmt::Debug for Bedrock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bedrock")
            .field("model", &self.model)
            .field("guardrail", &self.guardrail)
            .finish_non_exhaustive()
    }
}
