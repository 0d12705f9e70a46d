//! What a model said, and how it came to its end.

use serde::{Deserialize, Serialize};

use super::{Assessment, ModelError};

/// What a model said.
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
    /// The text; JSON where a form was asked for.
    pub text: String,
    /// Why it ends where it does.
    #[serde(default)]
    pub stop: Stop,
    /// Tokens read, where the model counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens written, where the model counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// How long the model was at it, in milliseconds, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
}

impl Answer {
    /// The same answer with another end.
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

    /// The answer, if the model said all that it had to say.
    ///
    /// # Errors
    /// [`ModelError::CutOff`], [`ModelError::Filtered`], [`ModelError::Intervened`], and [`ModelError::Unavailable`] for
    /// what is malformed: what [`Answer::stop`] says.
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
                advice: "allow a longer one with `Request::max_tokens`, or ask for less",
            }),
            Stop::Window => Err(ModelError::CutOff {
                text: self.text,
                advice: "the conversation fills the model's window: send less of it, or take a model with a larger one",
            }),
            Stop::Filtered => Err(ModelError::Filtered),
            Stop::Intervened(assessment) => Err(ModelError::Intervened { assessment }),
            Stop::Malformed => Err(ModelError::Unavailable {
                problem: "it wrote something that its service could not read; try again".into(),
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

/// Why an answer ends where it does.
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
    /// The model had said it all.
    #[default]
    End,
    /// One of [`Request::stop`](super::Request::stop) would have come next.
    Sequence,
    /// [`Request::max_tokens`](super::Request::max_tokens), or the model's own limit of an answer, was reached.
    MaxTokens,
    /// Question and answer together fill the model's window.
    Window,
    /// The model's own filter kept the rest back.
    Filtered,
    /// A guardrail stopped it; the text is what the guardrail has to say.
    Intervened(Assessment),
    /// The model wrote something that its service could not read: a tool call that is no JSON, for instance.
    Malformed,
}

/// A piece of an answer that comes as a stream.
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
    /// The next of the text.
    Text(String),
    /// The end, with all of it: the text that was said in pieces, why it ends, and what it cost.
    End(Answer),
}
