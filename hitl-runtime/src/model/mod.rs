//! Language models: the [`Model`] trait that a node calls, its adapters, and test doubles.
//!
//! An adapter implements [`Model`], which turns a [`Request`] into an [`Answer`]. [`ModelExt`] adds what every model
//! gets on top: typed responses that are validated and retried, and reporting of text and token usage to the event
//! stream and the journal of a run.
//!
//! | item | purpose |
//! |---|---|
//! | `Bedrock` | a model on Amazon Bedrock, with its `Guardrail`s (feature `bedrock`) |
//! | `OpenAi` | a model behind an API like OpenAI's chat completions: Ollama, llama.cpp, vLLM, … (feature `openai`) |
//! | [`from_env`] | the model that the environment names, Bedrock or OpenAI |
//! | [`Script`] | a mock with scripted responses, for tests |
//! | [`Recorder`], [`Replay`] | recording of real exchanges into a file, and replay from it in tests |

mod answer;
#[cfg(feature = "bedrock")]
mod bedrock;
mod environment;
mod error;
mod ext;
mod guard;
mod heard;
#[cfg(feature = "openai")]
mod openai;
mod record;
mod request;
#[cfg(any(feature = "bedrock", feature = "openai"))]
mod schema;
mod script;
mod structured;

pub use answer::{Answer, Piece, Stop};
#[cfg(feature = "bedrock")]
pub use bedrock::{Bedrock, Guardrail};
pub use environment::{UnusableModel, from_env};
pub use error::{Attempt, ModelError};
pub use ext::ModelExt;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, iter},
};
pub use futures_util::{future::BoxFuture, stream::BoxStream};
pub use guard::{Action, Assessment, Finding, Guarded, OrGuarded, Policy, Stage};
#[cfg(feature = "openai")]
pub use openai::OpenAi;
pub use record::{Recorder, Replay};
pub use request::{Form, Message, Request, Role};
pub use script::{Line, Script};

/// A source of responses: a hosted model, a local one, a mock for tests, a set of rules.
///
/// `BoxFuture` is a boxed, pinned `Future` that is `Send`, and `BoxStream` such a `Stream`. An adapter implements
/// [`Model::answer`], and [`Model::stream`] if its model can stream; [`ModelExt`] is then implemented for it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::model::{Answer, Model, ModelError, ModelExt, Request};
/// use std::pin::Pin;
///
/// /// A model for a test: it returns the last message.
/// struct Parrot;
///
/// impl Model for Parrot {
///     fn answer<'a>(
///         &'a self,
///         request: &'a Request,
///     ) -> Pin<Box<dyn Future<Output = Result<Answer, ModelError>> + Send + 'a>> {
///         let last = request.messages.last().map(|message| message.text.clone());
///         Box::pin(async move { Ok(Answer::from(last.unwrap_or_default())) })
///     }
/// }
/// assert_eq!(Parrot.text("Which order?").await?, "Which order?");
/// assert_eq!(Parrot.name(), "Parrot");
/// # Ok(())
/// # }
/// ```
pub trait Model: Send + Sync + 'static {
    /// Responds to a request.
    ///
    /// A response that was cut off, or that a guardrail or a content filter stopped, is an `Ok` with that finish reason
    /// in [`Answer::stop`]. [`Answer::whole`] turns it into an error, and [`ModelExt`] calls that for you.
    ///
    /// # Errors
    /// A [`ModelError`] if there is no response.
    fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>>;

    /// Streams the response to a request: any number of [`Piece::Text`] chunks, then one [`Piece::End`].
    ///
    /// The default implementation calls [`Model::answer`] and yields its whole text as one chunk.
    ///
    /// # Errors
    /// As [`Model::answer`]. Chunks that came before an error are not a response.
    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Piece, ModelError>> {
        let pieces = |answer: Answer| {
            let text = Some(answer.text.clone()).filter(|text| !text.is_empty()).map(Piece::Text);
            iter(text.into_iter().chain([Piece::End(answer)]).map(Ok))
        };
        stream::once(self.answer(request)).map_ok(pieces).try_flatten().boxed()
    }

    /// Returns the name of the model in the journal and in usage records: the model id, or by default the name of the
    /// type.
    fn name(&self) -> &str {
        let path = std::any::type_name::<Self>();
        path.rsplit("::").next().unwrap_or(path)
    }
}

macro_rules! behind_a_pointer {
    ($($pointer:ident)::+) => {
        impl<M: Model + ?Sized> Model for $($pointer)::+<M> {
            fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>> {
                (**self).answer(request)
            }

            fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Piece, ModelError>> {
                (**self).stream(request)
            }

            fn name(&self) -> &str {
                (**self).name()
            }
        }
    };
}

behind_a_pointer!(std::sync::Arc);
behind_a_pointer!(Box);
