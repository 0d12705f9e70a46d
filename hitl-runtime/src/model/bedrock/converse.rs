//! Conversion of a request into Converse's types, and of its output into a [`Completion`].

use std::time::Duration;

use aws_sdk_bedrockruntime::{
    error::BuildError,
    operation::{
        converse::{ConverseOutput, builders::ConverseFluentBuilder},
        converse_stream::builders::ConverseStreamFluentBuilder,
    },
    types::{
        AnyToolChoice, ContentBlock, ConversationRole, ConverseOutput as Output, InferenceConfiguration,
        JsonSchemaDefinition, Message, OutputConfig, OutputFormat, OutputFormatStructure, OutputFormatType,
        StopReason, SystemContentBlock, TokenUsage, Tool, ToolChoice, ToolConfiguration, ToolInputSchema,
        ToolSpecification,
    },
};

use super::{Guardrail, assessment, document};
use crate::model::{
    Completion, FinishReason, ModelError, Request, Role,
    schema::{ObjectSchema, constrained},
};

/// The way to request a response schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// No schema: plain text.
    Text,
    /// Converse's native structured output.
    Native,
    /// A forced tool: the only tool, which the model has to call.
    Tool,
}

/// The parts of a request that Converse and ConverseStream share.
pub(super) struct ConverseRequest {
    messages: Vec<Message>,
    system: Option<Vec<SystemContentBlock>>,
    inference: Option<InferenceConfiguration>,
    output: Option<OutputConfig>,
    tools: Option<ToolConfiguration>,
    object_schema: Option<ObjectSchema>,
}

impl ConverseRequest {
    pub fn new(request: &Request, mode: Mode) -> Result<Self, ModelError> {
        let object_schema = request.response_schema.as_ref().map(ObjectSchema::new);
        let schema_options = match (&object_schema, mode) {
            (Some(object), Mode::Native) => structured_output(object).map(|output| (Some(output), None)),
            (Some(object), Mode::Tool) => forced_tool(object).map(|tools| (None, Some(tools))),
            _ => Ok((None, None)),
        };
        let (output, tools) = schema_options.map_err(build_error)?;
        Ok(Self {
            messages: messages(request).map_err(build_error)?,
            system: non_blank(&request.system).map(|text| vec![SystemContentBlock::Text(text)]),
            inference: inference(request),
            output,
            tools,
            object_schema,
        })
    }

    pub fn apply_to<C: ConverseBuilder>(&self, builder: C) -> C {
        builder.with_request(self)
    }

    /// Returns whether the response is expected as the input of a forced tool.
    pub fn forces_tool(&self) -> bool {
        self.tools.is_some()
    }

    pub fn read(&self, output: ConverseOutput, guardrail: Option<&Guardrail>) -> Completion {
        let mut completion = Completion::default();
        if let Some(Output::Message(message)) = &output.output {
            completion.text = response_text(&message.content);
        }
        if let Some(usage) = &output.usage {
            set_usage(&mut completion, usage);
        }
        completion.latency = output.metrics.as_ref().and_then(|metrics| latency(metrics.latency_ms));
        let trace = output.trace.as_ref().and_then(|trace| trace.guardrail.as_ref());
        self.finish(completion, &output.stop_reason, trace, guardrail)
    }

    /// Completes a response: sets the finish reason and removes the object that was wrapped around the JSON.
    pub fn finish(
        &self,
        mut completion: Completion,
        reason: &StopReason,
        trace: Option<&aws_sdk_bedrockruntime::types::GuardrailTraceAssessment>,
        guardrail: Option<&Guardrail>,
    ) -> Completion {
        completion.finish_reason = match reason {
            StopReason::MaxTokens => FinishReason::MaxTokens,
            StopReason::ModelContextWindowExceeded => FinishReason::ContextWindow,
            StopReason::StopSequence => FinishReason::StopSequence,
            StopReason::ContentFiltered => FinishReason::Filtered,
            StopReason::MalformedModelOutput | StopReason::MalformedToolUse => FinishReason::Malformed,
            StopReason::GuardrailIntervened => {
                let assessment = assessment::from_trace(trace, guardrail, &completion.text);
                if assessment.only_masked() {
                    FinishReason::End
                } else {
                    FinishReason::Intervened(assessment)
                }
            }
            _ => FinishReason::End,
        };
        if let Some(object) = &self.object_schema {
            completion.text = object.unwrap(completion.text);
        }
        completion
    }
}

pub(super) fn set_usage(completion: &mut Completion, usage: &TokenUsage) {
    completion.input_tokens = u64::try_from(usage.input_tokens).ok();
    completion.output_tokens = u64::try_from(usage.output_tokens).ok();
}

/// Returns the latency in a response's metrics, unless it is negative.
pub(super) fn latency(ms: i64) -> Option<Duration> {
    u64::try_from(ms).ok().map(Duration::from_millis)
}

/// A common interface for the builders of the two calls: they have the same setters, but share no trait.
pub(super) trait ConverseBuilder {
    fn with_request(self, request: &ConverseRequest) -> Self;
}

macro_rules! impl_converse_builder {
    ($builder:ty) => {
        impl ConverseBuilder for $builder {
            fn with_request(self, request: &ConverseRequest) -> Self {
                self.set_messages(Some(request.messages.clone()))
                    .set_system(request.system.clone())
                    .set_inference_config(request.inference.clone())
                    .set_output_config(request.output.clone())
                    .set_tool_config(request.tools.clone())
            }
        }
    };
}

impl_converse_builder!(ConverseFluentBuilder);
impl_converse_builder!(ConverseStreamFluentBuilder);

/// Converts the messages. Converse requires alternating roles and rejects empty texts, so messages in a row by one role
/// are merged and empty ones dropped.
fn messages(request: &Request) -> Result<Vec<Message>, BuildError> {
    let conversation = request.messages.iter().filter(|message| !message.text.trim().is_empty());
    let conversation: Vec<_> = conversation.collect();
    conversation
        .chunk_by(|one, next| one.role == next.role)
        .map(|turn| {
            let role = match turn.first().map(|message| message.role) {
                Some(Role::Assistant) => ConversationRole::Assistant,
                _ => ConversationRole::User,
            };
            let blocks = turn.iter().map(|message| ContentBlock::Text(message.text.clone())).collect();
            Message::builder().role(role).set_content(Some(blocks)).build()
        })
        .collect()
}

fn non_blank(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.trim().is_empty())
}

fn inference(request: &Request) -> Option<InferenceConfiguration> {
    let max_tokens = request.max_tokens.map(|tokens| i32::try_from(tokens).unwrap_or(i32::MAX));
    let stop = Some(request.stop.clone()).filter(|stop| !stop.is_empty());
    if max_tokens.is_none() && request.temperature.is_none() && stop.is_none() {
        return None;
    }
    let inference = InferenceConfiguration::builder().set_max_tokens(max_tokens);
    Some(inference.set_temperature(request.temperature).set_stop_sequences(stop).build())
}

fn structured_output(object: &ObjectSchema) -> Result<OutputConfig, BuildError> {
    let schema = constrained(&object.schema).to_string();
    let schema = JsonSchemaDefinition::builder().name(&object.name).schema(schema).build()?;
    let format = OutputFormat::builder()
        .r#type(OutputFormatType::JsonSchema)
        .structure(OutputFormatStructure::JsonSchema(schema))
        .build()?;
    Ok(OutputConfig::builder().text_format(format).build())
}

/// Forces the tool with the choice `any`: with one tool it means that tool, and more models support it than a choice by
/// name.
fn forced_tool(object: &ObjectSchema) -> Result<ToolConfiguration, BuildError> {
    let tool = ToolSpecification::builder()
        .name(&object.name)
        .description("Give the answer by this tool.")
        .input_schema(ToolInputSchema::Json(document::from_json(&object.schema)))
        .build()?;
    ToolConfiguration::builder()
        .tools(Tool::ToolSpec(tool))
        .tool_choice(ToolChoice::Any(AnyToolChoice::builder().build()))
        .build()
}

/// Returns the input of the first tool call as JSON, or else the text. Some models add text to a tool call, or make
/// several calls; only the first call is the response. Reasoning blocks are not part of it.
fn response_text(blocks: &[ContentBlock]) -> String {
    match blocks.iter().find_map(|block| block.as_tool_use().ok()) {
        Some(tool) => document::to_json(&tool.input).to_string(),
        None => blocks.iter().filter_map(|block| block.as_text().ok()).map(String::as_str).collect(),
    }
}

fn build_error(error: BuildError) -> ModelError {
    ModelError::InvalidRequest { problem: error.to_string(), source: Some(error.into()) }
}
