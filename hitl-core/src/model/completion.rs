//! The response of a model: its text, token usage and finish reason.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Assessment, ModelError};

/// The response of a model to a [`Request`](super::Request), also known as a completion.
///
/// ```
/// use std::time::Duration;
/// use hitl::model::Completion;
///
/// let completion = Completion::from("A-9133".to_owned()).with_tokens(812, 5).with_latency(Duration::from_millis(930));
/// assert_eq!((completion.text.as_str(), completion.input_tokens), ("A-9133", Some(812)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Completion {
    /// The text. It is JSON if the request had a [`ResponseSchema`](super::ResponseSchema).
    pub text: String,
    /// The finish reason.
    #[serde(default, rename = "stop")]
    pub finish_reason: FinishReason,
    /// Input tokens, if the model counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Output tokens, if the model counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// The latency that the model's service reports, if it does.
    #[serde(
        rename = "latency_ms",
        with = "crate::millis::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub latency: Option<Duration>,
}

impl Completion {
    /// Sets the finish reason.
    ///
    /// ```
    /// use hitl::model::{Completion, FinishReason};
    ///
    /// let completion = Completion::from("Refund order A-".to_owned()).with_finish_reason(FinishReason::MaxTokens);
    /// assert_eq!(completion.finish_reason, FinishReason::MaxTokens);
    /// ```
    #[must_use]
    pub fn with_finish_reason(mut self, reason: FinishReason) -> Self {
        self.finish_reason = reason;
        self
    }

    /// Sets the numbers of input and output tokens; `None` is a number that the model does not report.
    #[must_use]
    pub fn with_tokens(mut self, input: impl Into<Option<u64>>, output: impl Into<Option<u64>>) -> Self {
        (self.input_tokens, self.output_tokens) = (input.into(), output.into());
        self
    }

    /// Sets the latency that the model's service reports.
    #[must_use]
    pub fn with_latency(mut self, latency: impl Into<Option<Duration>>) -> Self {
        self.latency = latency.into();
        self
    }

    /// Returns the response if it is complete.
    ///
    /// # Errors
    /// By [`Completion::finish_reason`]: [`ModelError::CutOff`], [`ModelError::Filtered`], [`ModelError::Intervened`],
    /// or [`ModelError::Unavailable`] for a malformed response.
    ///
    /// ```
    /// use hitl::model::{Completion, FinishReason, ModelError};
    ///
    /// let completion = Completion::from("Refund order A-".to_owned()).with_finish_reason(FinishReason::MaxTokens);
    /// assert!(matches!(completion.ensure_complete(), Err(ModelError::CutOff { .. })));
    /// ```
    pub fn ensure_complete(self) -> Result<Self, ModelError> {
        match self.finish_reason {
            FinishReason::End | FinishReason::StopSequence => Ok(self),
            FinishReason::MaxTokens => Err(ModelError::CutOff {
                text: self.text,
                advice: "raise `Request::max_tokens`, or request a shorter response",
            }),
            FinishReason::ContextWindow => Err(ModelError::CutOff {
                text: self.text,
                advice: "the conversation fills the context window: send less of it, or use a model with a larger one",
            }),
            FinishReason::Filtered => Err(ModelError::Filtered),
            FinishReason::Intervened(assessment) => Err(ModelError::Intervened { assessment }),
            FinishReason::Malformed => Err(ModelError::Unavailable {
                problem: "the service could not parse the model's output; retry".into(),
                source: None,
            }),
        }
    }
}

impl From<String> for Completion {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// The finish reason of a response.
///
/// ```
/// use hitl::model::{Completion, FinishReason};
///
/// assert_eq!(Completion::from("149".to_owned()).finish_reason, FinishReason::End);
/// assert_eq!(serde_json::to_string(&FinishReason::MaxTokens)?, r#""max_tokens""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// The response is complete.
    #[default]
    End,
    /// One of the stop sequences in [`Request::stop`](super::Request::stop) was reached.
    #[serde(rename = "sequence")]
    StopSequence,
    /// [`Request::max_tokens`](super::Request::max_tokens), or the model's own limit on output tokens, was reached.
    MaxTokens,
    /// The context window of the model is full: request and response together reach its size.
    #[serde(rename = "window")]
    ContextWindow,
    /// The model's own content filter withheld the rest.
    Filtered,
    /// A guardrail stopped the response. The text is the guardrail's message.
    Intervened(Assessment),
    /// The model produced output that its service could not parse, such as a tool call that is not JSON.
    Malformed,
}

/// A chunk of a streamed response. A reader skips the kinds that it does not know.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use futures_util::TryStreamExt;
/// use hitl::{model::{Chunk, Model, Request}, testkit::{MockModel, MockResponse}};
///
/// let model = MockModel::new([MockResponse::chunks(["Refund ", "it."])]);
/// let request = Request::from("What about order A-9133?");
/// let mut chunks = model.stream(&request);
/// let mut texts = Vec::new();
/// while let Some(chunk) = chunks.try_next().await? {
///     match chunk {
///         Chunk::Text(text) => texts.push(text),
///         Chunk::End(completion) => assert_eq!(completion.text, "Refund it."),
///         _ => {}
///     }
/// }
/// assert_eq!(texts, ["Refund ", "it."]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Chunk {
    /// The next chunk of the text.
    Text(String),
    /// The end of the stream, with the whole response: the text of all chunks together, the finish reason and the token
    /// usage.
    End(Completion),
}
