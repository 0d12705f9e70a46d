//! Language models: the [`Model`] trait that a node calls, its adapters, and test doubles.
//!
//! An adapter implements [`Model`], which turns a [`Request`] into a [`Completion`]. [`ModelExt`] adds what every model
//! gets on top: typed responses that are validated and retried, and reporting of text and token usage to the event
//! stream and the journal of a run.
//!
//! | item | purpose |
//! |---|---|
//! | `Bedrock` | a model on Amazon Bedrock, with its `Guardrail`s (feature `bedrock`) |
//! | `OpenAi` | a model behind an API like OpenAI's chat completions: Ollama, llama.cpp, vLLM, … (feature `openai`) |
//! | [`from_env`] | the model that the environment names, Bedrock or OpenAI |
//! | [`MockModel`] | a mock with scripted responses, for tests |
//! | [`Recorder`], [`Replay`] | recording of real exchanges into a file, and replay from it in tests |

#[cfg(feature = "bedrock")]
mod bedrock;
mod completion;
mod env;
mod error;
mod ext;
mod guardrail;
mod instrument;
mod mock;
#[cfg(feature = "openai")]
mod openai;
mod record_replay;
mod request;
#[cfg(any(feature = "bedrock", feature = "openai"))]
mod schema;
mod structured;

#[cfg(feature = "bedrock")]
pub use bedrock::{Bedrock, Guardrail};
pub use completion::{Chunk, Completion, FinishReason};
pub use env::{UnusableModel, from_env};
pub use error::{Attempt, ModelError};
pub use ext::ModelExt;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, iter},
};
pub use futures_util::{future::BoxFuture, stream::BoxStream};
pub use guardrail::{
    Assessment, ContentSource, Guarded, GuardrailAction, GuardrailFinding, GuardrailPolicy, ModelResultExt,
};
pub use mock::{MockModel, MockResponse};
#[cfg(feature = "openai")]
pub use openai::OpenAi;
pub use record_replay::{Recorder, Replay};
pub use request::{Message, Request, ResponseSchema, Role};

/// A source of responses: a hosted model, a local one, a mock for tests, a set of rules.
///
/// `BoxFuture` is a boxed, pinned `Future` that is `Send`, and `BoxStream` such a `Stream`. An adapter implements
/// [`Model::complete`], and [`Model::stream`] if its model can stream; [`ModelExt`] is then implemented for it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::model::{Completion, Model, ModelError, ModelExt, Request};
/// use std::pin::Pin;
///
/// /// A model for a test: it returns the last message.
/// struct Parrot;
///
/// impl Model for Parrot {
///     fn complete<'a>(
///         &'a self,
///         request: &'a Request,
///     ) -> Pin<Box<dyn Future<Output = Result<Completion, ModelError>> + Send + 'a>> {
///         let last = request.messages.last().map(|message| message.text.clone());
///         Box::pin(async move { Ok(Completion::from(last.unwrap_or_default())) })
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
    /// in [`Completion::finish_reason`]. [`Completion::ensure_complete`] turns it into an error, and [`ModelExt`] calls
    /// that for you.
    ///
    /// # Errors
    /// A [`ModelError`] if there is no response.
    fn complete<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Completion, ModelError>>;

    /// Streams the response to a request: any number of [`Chunk::Text`] chunks, then one [`Chunk::End`].
    ///
    /// The default implementation calls [`Model::complete`] and yields its whole text as one chunk.
    ///
    /// # Errors
    /// As [`Model::complete`]. Chunks that came before an error are not a response.
    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Chunk, ModelError>> {
        let chunks = |completion: Completion| {
            let text = Some(completion.text.clone()).filter(|text| !text.is_empty()).map(Chunk::Text);
            iter(text.into_iter().chain([Chunk::End(completion)]).map(Ok))
        };
        stream::once(self.complete(request)).map_ok(chunks).try_flatten().boxed()
    }

    /// Returns the name of the model in the journal and in usage records: the model id, or by default the name of the
    /// type.
    fn name(&self) -> &str {
        let path = std::any::type_name::<Self>();
        path.rsplit("::").next().unwrap_or(path)
    }
}

macro_rules! impl_for_pointer {
    ($($pointer:ident)::+) => {
        impl<M: Model + ?Sized> Model for $($pointer)::+<M> {
            fn complete<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Completion, ModelError>> {
                (**self).complete(request)
            }

            fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Chunk, ModelError>> {
                (**self).stream(request)
            }

            fn name(&self) -> &str {
                (**self).name()
            }
        }
    };
}

impl_for_pointer!(std::sync::Arc);
impl_for_pointer!(Box);
