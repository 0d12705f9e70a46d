//! How a node talks to a model.
//!
//! A model answers a [`Request`]; that is all an adapter writes. What every model should do on top of that, such as
//! answering in a type, being told of its mistakes, and being heard in the event stream of a run, is in [`ModelExt`].
//!
//! | | is |
//! |---|---|
//! | `Bedrock` | a model on Amazon Bedrock, with its `Guardrail`s (feature `bedrock`) |
//! | `OpenAi` | a model behind OpenAI's chat completions: Ollama, llama.cpp, vLLM, … (feature `openai`) |
//! | [`from_env`] | whichever of them the environment names |
//! | [`Script`] | what a test wants said |
//! | [`Recorder`], [`Replay`] | exchanges with a real model, kept in a file, and said again from it |

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

/// Something that answers: a hosted model, a local one, a script for tests, a set of rules.
///
/// `BoxFuture` is a boxed, pinned `Future` that is `Send`, and `BoxStream` such a `Stream`. An adapter writes
/// [`Model::answer`], and [`Model::stream`] where its model speaks piece by piece, and gets [`ModelExt`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::model::{Answer, Model, ModelError, ModelExt, Request};
/// use std::pin::Pin;
///
/// /// A model for a test: it says what it is told.
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
    /// Answers a request.
    ///
    /// An answer that broke off, or that a guardrail or a filter stopped, is an `Ok` whose [`Answer::stop`] says so;
    /// [`Answer::whole`] makes an error of it, and [`ModelExt`] does so for you.
    ///
    /// # Errors
    /// The variants of [`ModelError`] say why no answer came.
    fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>>;

    /// Answers a request piece by piece: any number of [`Piece::Text`], then one [`Piece::End`].
    ///
    /// A model that does not speak piece by piece says its whole answer in one; that is what this does where an adapter
    /// does not write it.
    ///
    /// # Errors
    /// As [`Model::answer`]. What was said before an error is no answer.
    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Piece, ModelError>> {
        let pieces = |answer: Answer| {
            let text = Some(answer.text.clone()).filter(|text| !text.is_empty()).map(Piece::Text);
            iter(text.into_iter().chain([Piece::End(answer)]).map(Ok))
        };
        stream::once(self.answer(request)).map_ok(pieces).try_flatten().boxed()
    }

    /// The name that the journal and the bill know it by: the model's id, or the type's own name.
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
