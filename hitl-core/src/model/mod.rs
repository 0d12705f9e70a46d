//! Language models: the [`Model`] trait that a node calls, its requests, responses and errors.
//!
//! An adapter implements [`Model`], which turns a [`Request`] into a [`Completion`]. `hitl::model::ModelExt` adds what
//! every model gets on top: typed responses that are validated and retried, and reporting of text and token usage.

mod assessment;
mod completion;
mod error;
mod request;

use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, iter},
};

pub use assessment::{Assessment, ContentSource, GuardrailAction, GuardrailFinding, GuardrailPolicy};
pub use completion::{Chunk, Completion, FinishReason};
pub use error::{Attempt, ModelError};
pub use futures_util::{future::BoxFuture, stream::BoxStream};
pub use request::{Message, Request, ResponseSchema, Role};

/// A source of responses: a hosted model, a local one, a mock for tests, a set of rules.
///
/// `BoxFuture` is a boxed, pinned `Future` that is `Send`, and `BoxStream` such a `Stream`. An adapter implements
/// [`Model::complete`], and [`Model::stream`] if its model can stream; `ModelExt` is then implemented for it.
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
    /// in [`Completion::finish_reason`]. [`Completion::ensure_complete`] turns it into an error, and `ModelExt` calls
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
