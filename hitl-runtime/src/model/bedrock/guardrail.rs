//! Bedrock guardrails, around a model or for a text alone.

use std::fmt;

use aws_sdk_bedrockruntime::{
    Client,
    error::BuildError,
    types::{
        GuardrailAction, GuardrailConfiguration, GuardrailContentBlock, GuardrailContentSource,
        GuardrailStreamConfiguration, GuardrailStreamProcessingMode, GuardrailTextBlock, GuardrailTrace,
    },
};

use super::{assessment, connection::Connection, error};
use crate::model::{ContentSource, ModelError};

/// A guardrail of Amazon Bedrock: around a model with [`Bedrock::guardrail`](super::Bedrock::guardrail), or on its own
/// with [`Guardrail::check`], for text that passes through no model.
///
/// ```no_run
/// # async fn example() -> Result<(), hitl::model::ModelError> {
/// use hitl::model::{ContentSource, Guarded, Guardrail, ModelResultExt};
///
/// let guardrail = Guardrail::new("gr42", "3");
/// match guardrail.check(ContentSource::Input, "My address is ada@example.com").await.guarded()? {
///     Guarded::Passed(text) => println!("{text}"), // My address is {EMAIL}
///     Guarded::Intervened(assessment) => println!("{assessment}"),
/// }
/// # Ok(())
/// # }
/// ```
pub struct Guardrail {
    id: String,
    version: String,
    connection: Connection,
}

impl Guardrail {
    /// Creates a guardrail from its id or ARN and its version: a number, or `DRAFT`.
    pub fn new(id: impl Into<String>, version: impl Into<String>) -> Self {
        Self { id: id.into(), version: version.into(), connection: Connection::from_env() }
    }

    /// Uses a client of yours for [`Guardrail::check`]. Around a model, the guardrail uses the client of the model.
    #[must_use]
    pub fn with_client(mut self, client: Client) -> Self {
        self.connection = Connection::from(client);
        self
    }

    /// Returns the id or ARN, as it was given.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Checks a text and returns it, with parts masked if the guardrail masks them.
    ///
    /// # Errors
    /// [`ModelError::Intervened`] if the guardrail blocks the text, and the errors of calling the service.
    pub async fn check(&self, source: ContentSource, text: impl Into<String>) -> Result<String, ModelError> {
        let text = text.into();
        let content_source = match source {
            ContentSource::Input => GuardrailContentSource::Input,
            ContentSource::Output => GuardrailContentSource::Output,
        };
        let block = GuardrailTextBlock::builder().text(&text).build().map_err(build_error)?;
        let client = self.connection.client().await?;
        let call = client.apply_guardrail().guardrail_identifier(&self.id).guardrail_version(&self.version);
        let call = call.source(content_source).content(GuardrailContentBlock::Text(block)).send();
        let output = self
            .connection
            .with_timeout(call)
            .await?
            .map_err(|error| error::from_sdk_error(error, &self.id, self.connection.timeout))?;
        if output.action != GuardrailAction::GuardrailIntervened {
            return Ok(text);
        }
        let masked: String = output.outputs.iter().filter_map(|output| output.text.as_deref()).collect();
        let assessment = assessment::from_check(&output.assessments, self, source, &masked);
        if assessment.only_masked() { Ok(masked) } else { Err(ModelError::Intervened { assessment }) }
    }

    pub(super) fn config(&self) -> GuardrailConfiguration {
        GuardrailConfiguration::builder()
            .guardrail_identifier(&self.id)
            .guardrail_version(&self.version)
            .trace(GuardrailTrace::Enabled)
            .build()
    }

    /// Configures the guardrail for a stream. `Sync`, because text that the guardrail blocks must not reach the reader
    /// first.
    pub(super) fn stream_config(&self) -> GuardrailStreamConfiguration {
        GuardrailStreamConfiguration::builder()
            .guardrail_identifier(&self.id)
            .guardrail_version(&self.version)
            .trace(GuardrailTrace::Enabled)
            .stream_processing_mode(GuardrailStreamProcessingMode::Sync)
            .build()
    }
}

impl fmt::Debug for Guardrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guardrail")
            .field("id", &self.id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

fn build_error(error: BuildError) -> ModelError {
    ModelError::InvalidRequest { problem: error.to_string(), source: Some(error.into()) }
}
