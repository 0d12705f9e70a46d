//! How a node talks to a model.
//!
//! A model answers a [`Request`]; that is all an adapter writes. What every model should do on top of that, such as
//! answering in a type and being told of its mistakes, is in [`ModelExt`].

mod structured;

pub use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use structured::{Attempt, ModelExt};

/// Something that answers: a hosted model, a local one, a script for tests, a set of rules.
///
/// `BoxFuture` is a boxed, pinned `Future` that is `Send`. An adapter writes this one method, and gets [`ModelExt`].
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
/// # Ok(())
/// # }
/// ```
pub trait Model: Send + Sync + 'static {
    /// Answers a request.
    ///
    /// # Errors
    /// [`ModelError::Unavailable`] when no answer came, [`ModelError::Declined`] when the model will not answer.
    fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>>;
}

impl<M: Model + ?Sized> Model for std::sync::Arc<M> {
    fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>> {
        (**self).answer(request)
    }
}

impl<M: Model + ?Sized> Model for Box<M> {
    fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>> {
        (**self).answer(request)
    }
}

/// What a model is asked.
///
/// ```
/// use hitl::model::{Request, Role};
///
/// let request = Request::from("Order A-9133 arrived broken.")
///     .system("You work at a refund desk.")
///     .message(Role::Assistant, "Refund it.")
///     .message(Role::User, "Is there a photo?");
/// assert_eq!(request.messages.len(), 3);
/// assert!(request.form.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Request {
    /// What the model is to be, for the whole conversation.
    pub system: Option<String>,
    /// The conversation so far. The last message is the one to answer.
    pub messages: Vec<Message>,
    /// The form of the answer, where it must have one.
    pub form: Option<Form>,
}

impl Request {
    /// The same request with a system prompt.
    #[must_use]
    pub fn system(mut self, system: impl Into<String>) -> Self {
        self.system = Some(system.into());
        self
    }

    /// The same request with one message more.
    #[must_use]
    pub fn message(mut self, role: Role, text: impl Into<String>) -> Self {
        self.messages.push(Message { role, text: text.into() });
        self
    }
}

impl From<&str> for Request {
    fn from(text: &str) -> Self {
        Self::default().message(Role::User, text)
    }
}

impl From<String> for Request {
    fn from(text: String) -> Self {
        Self::default().message(Role::User, text)
    }
}

/// One message of a conversation.
///
/// ```
/// use hitl::model::{Message, Request, Role};
///
/// let said = Message { role: Role::User, text: "Which order?".into() };
/// assert_eq!(Request::from("Which order?").messages, [said]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What they say.
    pub text: String,
}

/// Who says a message.
///
/// ```
/// use hitl::model::Role;
///
/// assert_eq!(serde_json::to_string(&[Role::User, Role::Assistant])?, r#"["user","assistant"]"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The program, for a person.
    User,
    /// The model.
    Assistant,
}

/// A form for an answer.
///
/// ```
/// use hitl::model::{Form, Request};
///
/// /// What an adapter does with it: the schema goes where the model's own interface wants it.
/// fn tool(request: &Request) -> Option<serde_json::Value> {
///     let Form { name, schema } = request.form.as_ref()?;
///     Some(serde_json::json!({ "name": name, "input_schema": schema }))
/// }
/// assert_eq!(tool(&Request::from("Which order?")), None);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// The type's name.
    pub name: String,
    /// Its JSON Schema.
    pub schema: Value,
}

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
    /// Tokens read, where the model counts them.
    pub input_tokens: Option<u64>,
    /// Tokens written, where the model counts them.
    pub output_tokens: Option<u64>,
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// Why there is no answer.
///
/// ```
/// use hitl::model::ModelError;
///
/// let error = ModelError::Unavailable { problem: "no answer within 60 s; try again".into(), source: None };
/// assert_eq!(error.to_string(), "the model gave no answer: no answer within 60 s; try again");
///
/// let error = ModelError::Declined { reason: "the message names no order".into() };
/// assert_eq!(error.to_string(), "the message names no order");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No answer came: the network, a limit, a wrong key.
    #[error("the model gave no answer: {problem}")]
    Unavailable {
        /// What happened and what to do.
        problem: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The model will not, or cannot, answer this.
    #[error("{reason}")]
    Declined {
        /// What it said.
        reason: String,
    },
    /// No answer had the form that was asked for.
    #[error(
        "no answer fits `{form}` after {} attempts; the last: {}",
        attempts.len(),
        attempts.last().map_or("none", |attempt| attempt.problem.as_str())
    )]
    Misfit {
        /// The type that was asked for.
        form: String,
        /// Every answer, and what was wrong with it.
        attempts: Vec<Attempt>,
    },
}
