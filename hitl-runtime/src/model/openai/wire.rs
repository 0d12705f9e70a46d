//! The JSON of requests and responses.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::{Completion, FinishReason, ModelError, Request, Role, schema::ObjectSchema};

/// Returns the body of a request. Options that are not set are omitted.
pub(super) fn body(
    model: &str,
    request: &Request,
    object_schema: Option<&ObjectSchema>,
    stream: bool,
) -> Value {
    let system = request.system.iter().map(|text| json!({ "role": "system", "content": text }));
    let conversation = request.messages.iter().map(|message| {
        let role = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        json!({ "role": role, "content": message.text })
    });
    let mut body = json!({ "model": model, "messages": system.chain(conversation).collect::<Vec<_>>() });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[name] = value;
        }
    };
    set("max_tokens", request.max_tokens.map(Value::from));
    set("temperature", request.temperature.map(shortest));
    set("stop", (!request.stop.is_empty()).then(|| json!(request.stop)));
    set("response_format", object_schema.map(response_format));
    set("stream", stream.then(|| true.into()));
    set("stream_options", stream.then(|| json!({ "include_usage": true })));
    body
}

fn response_format(object: &ObjectSchema) -> Value {
    json!({ "type": "json_schema", "json_schema": { "name": object.name, "schema": object.schema } })
}

/// Converts an `f32` by its shortest decimal form: 0.2 stays 0.2, and does not become 0.20000000298023224.
fn shortest(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// A response, or one event of a streamed one.
#[derive(Deserialize)]
pub(super) struct ChatCompletion {
    #[serde(default)]
    pub choices: Vec<Choice>,
    pub usage: Option<Usage>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(alias = "delta")]
    pub message: Option<Message>,
    pub finish_reason: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub content: Option<String>,
    pub refusal: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

impl Usage {
    pub fn apply_to(&self, completion: &mut Completion) {
        (completion.input_tokens, completion.output_tokens) = (self.prompt_tokens, self.completion_tokens);
    }
}

pub(super) fn into_completion(
    response: ChatCompletion,
    object_schema: Option<&ObjectSchema>,
) -> Result<Completion, ModelError> {
    let Some(choice) = response.choices.into_iter().next() else {
        let problem = "the response has no choices; check that the endpoint offers chat completions".into();
        return Err(ModelError::Unavailable { problem, source: None });
    };
    let mut completion = Completion::default();
    if let Some(usage) = response.usage {
        usage.apply_to(&mut completion);
    }
    let (text, refusal) = choice.message.map_or((None, None), |message| (message.content, message.refusal));
    completion.text = text.unwrap_or_default();
    finish(completion, choice.finish_reason.as_deref(), refusal, object_schema)
}

/// Completes a response: sets the finish reason and removes the object that was wrapped around the JSON.
pub(super) fn finish(
    mut completion: Completion,
    reason: Option<&str>,
    refusal: Option<String>,
    object_schema: Option<&ObjectSchema>,
) -> Result<Completion, ModelError> {
    if let Some(reason) = refusal.filter(|reason| !reason.is_empty()) {
        return Err(ModelError::Declined { reason: format!("the model declined the request: {reason}") });
    }
    completion.finish_reason = match reason {
        Some("length") => FinishReason::MaxTokens,
        Some("content_filter") => FinishReason::Filtered,
        _ => FinishReason::End,
    };
    if let Some(object) = object_schema {
        completion.text = object.unwrap(completion.text);
    }
    Ok(completion)
}
