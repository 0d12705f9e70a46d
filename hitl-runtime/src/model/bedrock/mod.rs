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
use converse::{Mode, Parts};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream::once};
pub use guardrail::Guardrail;

use super::{Answer, BoxFuture, BoxStream, Model, ModelError, Piece, Request};

/// A model on Amazon Bedrock, or behind an endpoint with the same API.
///
/// No environment variable is read and no connection is made before the first request: a platform may snapshot a
/// process after its start, and all copies of it would share what was set up before. Region and credentials are then
/// found through the default provider chain of the AWS SDK (`AWS_REGION`, `AWS_PROFILE`, the role of the container,
/// `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`, …).
///
/// A response schema ([`ModelExt::structured`](super::ModelExt::structured)) is requested with Converse's native
/// structured output. If the service rejects that for this model or schema, the schema is requested with a forced tool
/// instead, and so is every later request for it. The SDK retries throttling and network errors, with three attempts in
/// all, before it reports them.
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
    refused: Mutex<BTreeSet<String>>,
}

impl Bedrock {
    /// Creates a model from its id, or from the ARN or id of an inference profile.
    pub fn new(model: impl Into<String>) -> Self {
        Self::over(Connection::from_environment(), model)
    }

    /// Creates a model with a client of yours.
    pub fn with_client(client: Client, model: impl Into<String>) -> Self {
        Self::over(Connection::from(client), model)
    }

    fn over(connection: Connection, model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            connection,
            guardrail: None,
            forced_tool: false,
            refused: Mutex::default(),
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
        let Some(form) = &request.form else { return Mode::Words };
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if self.forced_tool || refused.contains(&form.name) { Mode::Tool } else { Mode::Native }
    }

    fn refuse(&self, request: &Request) {
        if let Some(form) = &request.form {
            self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(form.name.clone());
        }
    }

    async fn ask(&self, request: &Request, mode: Mode) -> Result<Answer, ModelError> {
        let parts = Parts::of(request, mode)?;
        let mut call = parts.set(self.connection.client().await?.converse().model_id(&self.model));
        if let Some(guardrail) = &self.guardrail {
            call = call.guardrail_config(guardrail.around_an_answer());
        }
        let output = self.connection.wait(call.send()).await?.map_err(|error| self.fail(error))?;
        Ok(parts.read(output, self.guardrail.as_ref()))
    }

    async fn open(&self, request: &Request, mode: Mode) -> Result<stream::Speech<'_>, ModelError> {
        let parts = Parts::of(request, mode)?;
        let mut call = parts.set(self.connection.client().await?.converse_stream().model_id(&self.model));
        if let Some(guardrail) = &self.guardrail {
            call = call.guardrail_config(guardrail.around_a_stream());
        }
        let output = self.connection.wait(call.send()).await?.map_err(|error| self.fail(error))?;
        Ok(stream::Speech::new(self, output.stream, parts))
    }

    fn fail<E>(&self, error: aws_sdk_bedrockruntime::error::SdkError<E>) -> ModelError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        error::typed(error, &self.model, self.connection.timeout)
    }
}

/// Requests native structured output first and, if the service rejects the request, a forced tool. If the tool works,
/// it is used for this schema from then on; if not, the request itself is at fault, and the second error is returned.
macro_rules! either_way {
    ($model:expr, $request:expr, $call:ident) => {{
        let mode = $model.mode($request);
        match $model.$call($request, mode).await {
            Err(ModelError::Refused { .. }) if mode == Mode::Native => {
                let answer = $model.$call($request, Mode::Tool).await;
                if answer.is_ok() {
                    $model.refuse($request);
                }
                answer
            }
            answer => answer,
        }
    }};
}

impl Model for Bedrock {
    fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>> {
        async move { either_way!(self, request, ask) }.boxed()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Piece, ModelError>> {
        once(async move { either_way!(self, request, open) })
            .map_ok(stream::Speech::pieces)
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
