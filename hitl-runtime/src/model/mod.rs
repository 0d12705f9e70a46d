//! Language models: the [`Model`] trait that a node calls, and its adapters.
//!
//! An adapter implements [`Model`], which turns a [`Request`] into a [`Completion`]. [`ModelExt`] adds what every model
//! gets on top: typed responses that are validated and retried, and reporting of text and token usage to the event
//! stream and the journal of a run. The trait, its data and its errors are those of the crate `hitl-core`, on which the
//! crate of another adapter depends.
//!
//! | item | purpose |
//! |---|---|
//! | `Bedrock` | a model on Amazon Bedrock, with its `Guardrail`s (feature `bedrock`) |
//! | `OpenAi` | a model behind an API like OpenAI's chat completions: Ollama, llama.cpp, vLLM, … (feature `openai`) |
//! | [`from_env`] | the model that the environment names, Bedrock or OpenAI |
//! | `MockModel`, `Recorder`, `Replay` | models for tests (feature `testkit`, in the module `testkit`) |

#[cfg(feature = "bedrock")]
mod bedrock;
mod env;
mod ext;
mod guarded;
mod instrument;
#[cfg(feature = "openai")]
mod openai;
#[cfg(any(feature = "bedrock", feature = "openai"))]
mod schema;
mod structured;

#[cfg(feature = "bedrock")]
pub use bedrock::{Bedrock, Guardrail};
pub use env::{UnusableModel, from_env};
pub use ext::ModelExt;
pub use guarded::{Guarded, ModelResultExt};
pub use hitl_core::model::{
    Assessment, Attempt, BoxFuture, BoxStream, Chunk, Completion, ContentSource, FinishReason,
    GuardrailAction, GuardrailFinding, GuardrailPolicy, Message, Model, ModelError, Request, ResponseSchema,
    Role,
};
#[cfg(feature = "openai")]
pub use openai::OpenAi;
