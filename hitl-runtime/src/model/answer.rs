//! The response of a model: its text, token usage and finish reason.

use serde::{Deserialize, Serialize};

use super::{Assessment, ModelError};

/// The response of a model to a [`Request`](super::Request), also known as a completion.
///
/// ```
/// use hitl::model::Answer;
///
/// let mut answer = Answer::from("A-9133".to_owned());
/// answer.output_tokens = Some(5);
/// assert_eq!((answer.text.as_str(), answer.input_tokens), ("A-9133", None));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Answer {
    /// The text. It is JSON if the request had a [`Form`](super::Form).
    pub text: String,
    /// The finish reason.
    #[serde(default)]
    pub stop: Stop,
    /// Input tokens, if the model counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Output tokens, if the model counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// The latency that the model's service reports, in milliseconds, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
}

impl Answer {
    /// Sets the finish reason.
    ///
    /// ```
    /// use hitl::model::{Answer, Stop};
    ///
    /// let answer = Answer::from("Refund order A-".to_owned()).stopped(Stop::MaxTokens);
    /// assert_eq!(answer.stop, Stop::MaxTokens);
    /// ```
    #[must_use]
    pub fn stopped(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Returns the response if it is complete.
    ///
    /// # Errors
    /// By [`Answer::stop`]: [`ModelError::CutOff`], [`ModelError::Filtered`], [`ModelError::Intervened`], or
    /// [`ModelError::Unavailable`] for a malformed response.
    ///
    /// ```
    /// use hitl::model::{Answer, ModelError, Stop};
    ///
    /// let answer = Answer::from("Refund order A-".to_owned()).stopped(Stop::MaxTokens);
    /// assert!(matches!(answer.whole(), Err(ModelError::CutOff { .. })));
    /// ```
    pub fn whole(self) -> Result<Self, ModelError> {
        match self.stop {
            Stop::End | Stop::Sequence => Ok(self),
            Stop::MaxTokens => Err(ModelError::CutOff {
                text: self.text,
                advice: "raise `Request::max_tokens`, or request a shorter response",
            }),
            Stop::Window => Err(ModelError::CutOff {
                text: self.text,
                advice: "the conversation fills the context window: send less of it, or use a model with a larger one",
            }),
            Stop::Filtered => Err(ModelError::Filtered),
            Stop::Intervened(assessment) => Err(ModelError::Intervened { assessment }),
            Stop::Malformed => Err(ModelError::Unavailable {
                problem: "the service could not parse the model's output; retry".into(),
                source: None,
            }),
        }
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// The finish reason of a response.
///
/// ```
/// use hitl::model::{Answer, Stop};
///
/// assert_eq!(Answer::from("149".to_owned()).stop, Stop::End);
/// assert_eq!(serde_json::to_string(&Stop::MaxTokens)?, r#""max_tokens""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stop {
    /// The response is complete.
    #[default]
    End,
    /// One of the stop sequences in [`Request::stop`](super::Request::stop) was reached.
    Sequence,
    /// [`Request::max_tokens`](super::Request::max_tokens), or the model's own limit on output tokens, was reached.
    MaxTokens,
    /// The context window of the model is full: request and response together reach its size.
    Window,
    /// The model's own content filter withheld the rest.
    Filtered,
    /// A guardrail stopped the response. The text is the guardrail's message.
    Intervened(Assessment),
    /// The model produced output that its service could not parse, such as a tool call that is not JSON.
    Malformed,
}

/// A chunk of a streamed response.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use futures_util::TryStreamExt;
/// use hitl::model::{Line, Model, Piece, Request, Script};
///
/// let model = Script::new([Line::pieces(["Refund ", "it."])]);
/// let request = Request::from("What about order A-9133?");
/// let mut pieces = model.stream(&request);
/// let mut said = Vec::new();
/// while let Some(piece) = pieces.try_next().await? {
///     match piece {
///         Piece::Text(text) => said.push(text),
///         Piece::End(answer) => assert_eq!(answer.text, "Refund it."),
///     }
/// }
/// assert_eq!(said, ["Refund ", "it."]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// The next chunk of the text.
    Text(String),
    /// The end of the stream, with the whole response: the text of all chunks together, the finish reason and the token
    /// usage.
    End(Answer),
}
