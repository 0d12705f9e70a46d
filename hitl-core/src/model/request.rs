//! The request to a model: system prompt, messages, response schema and sampling options.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request to a model.
///
/// An option that is not set is left to the model's default.
///
/// ```
/// use hitl::model::{Request, Role};
///
/// let request = Request::from("Order A-9133 arrived broken.")
///     .system("You work at a refund desk.")
///     .message(Role::Assistant, "Refund it.")
///     .message(Role::User, "Is there a photo?")
///     .max_tokens(400)
///     .temperature(0.2)
///     .stop("---");
/// assert_eq!(request.messages.len(), 3);
/// assert!(request.response_schema.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Request {
    /// The system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The conversation so far. The model responds to the last message.
    pub messages: Vec<Message>,
    /// The schema of the response, if it must be JSON of a certain type.
    #[serde(default, rename = "form", skip_serializing_if = "Option::is_none")]
    pub response_schema: Option<ResponseSchema>,
    /// The maximum number of output tokens. A response that needs more is cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// The sampling temperature: 0 for the most likely words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Stop sequences: generation ends before any of these texts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

impl Request {
    /// Sets the system prompt.
    #[must_use]
    pub fn system(mut self, system: impl Into<String>) -> Self {
        self.system = Some(system.into());
        self
    }

    /// Appends a message.
    #[must_use]
    pub fn message(mut self, role: Role, text: impl Into<String>) -> Self {
        self.messages.push(Message::new(role, text));
        self
    }

    /// Sets the maximum number of output tokens.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// Sets the sampling temperature: 0 for the most likely words.
    #[must_use]
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Adds a stop sequence.
    #[must_use]
    pub fn stop(mut self, text: impl Into<String>) -> Self {
        self.stop.push(text.into());
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

/// A message of a conversation.
///
/// ```
/// use hitl::model::{Message, Request, Role};
///
/// let message = Message::new(Role::User, "Which order?");
/// assert_eq!(Request::from("Which order?").messages, [message]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// The author.
    pub role: Role,
    /// The text.
    pub text: String,
}

impl Message {
    /// Creates a message.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, text: text.into() }
    }
}

/// The author of a message.
///
/// ```
/// use hitl::model::Role;
///
/// assert_eq!(serde_json::to_string(&[Role::User, Role::Assistant])?, r#"["user","assistant"]"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
// Exhaustive, because an adapter must not send a text under the name of another author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The user, or the program on their behalf.
    User,
    /// The model.
    Assistant,
}

/// A response schema: the name and the JSON Schema of the type that a response must have.
///
/// ```
/// use hitl::model::{Request, ResponseSchema};
///
/// /// An adapter puts the schema where its model's API expects it.
/// fn tool(request: &Request) -> Option<serde_json::Value> {
///     let ResponseSchema { name, schema, .. } = request.response_schema.as_ref()?;
///     Some(serde_json::json!({ "name": name, "input_schema": schema }))
/// }
/// assert_eq!(tool(&Request::from("Which order?")), None);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResponseSchema {
    /// The name of the type.
    pub name: String,
    /// Its JSON Schema.
    pub schema: Value,
}

impl ResponseSchema {
    /// Creates a response schema.
    pub fn new(name: impl Into<String>, schema: Value) -> Self {
        Self { name: name.into(), schema }
    }
}
