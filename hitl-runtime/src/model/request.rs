//! What a model is asked.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a model is asked.
///
/// What is left out is left to the model.
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
/// assert!(request.form.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Request {
    /// What the model is to be, for the whole conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The conversation so far. The last message is the one to answer.
    pub messages: Vec<Message>,
    /// The form of the answer, where it must have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    /// How many tokens the answer may have; one that needs more is cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// How freely the model chooses its words: 0 for the likeliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Where one of these would come next, the answer ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
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

    /// The same request for an answer of at most so many tokens.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// The same request at another temperature: 0 for the likeliest words.
    #[must_use]
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// The same request for an answer that ends before this text.
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
