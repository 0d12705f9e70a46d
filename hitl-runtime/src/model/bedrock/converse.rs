//! Conversion of a request into Converse's types, and of its output into an [`Answer`].

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
    Answer, ModelError, Request, Role, Stop,
    schema::{Sheet, constrained},
};

/// The way to request a response schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// No schema: plain text.
    Words,
    /// Converse's native structured output.
    Native,
    /// A forced tool: the only tool, which the model has to call.
    Tool,
}

/// The parts of a request that Converse and ConverseStream share.
pub(super) struct Parts {
    messages: Vec<Message>,
    system: Option<Vec<SystemContentBlock>>,
    inference: Option<InferenceConfiguration>,
    output: Option<OutputConfig>,
    tools: Option<ToolConfiguration>,
    sheet: Option<Sheet>,
}

impl Parts {
    pub fn of(request: &Request, mode: Mode) -> Result<Self, ModelError> {
        let sheet = request.form.as_ref().map(Sheet::of);
        let described = match (&sheet, mode) {
            (Some(sheet), Mode::Native) => structured_output(sheet).map(|output| (Some(output), None)),
            (Some(sheet), Mode::Tool) => forced_tool(sheet).map(|tools| (None, Some(tools))),
            _ => Ok((None, None)),
        };
        let (output, tools) = described.map_err(unbuilt)?;
        Ok(Self {
            messages: messages(request).map_err(unbuilt)?,
            system: said(&request.system).map(|text| vec![SystemContentBlock::Text(text)]),
            inference: inference(request),
            output,
            tools,
            sheet,
        })
    }

    pub fn set<C: Call>(&self, call: C) -> C {
        call.parts(self)
    }

    /// Returns whether the response is expected as the input of a forced tool.
    pub fn force_a_tool(&self) -> bool {
        self.tools.is_some()
    }

    pub fn read(&self, output: ConverseOutput, guardrail: Option<&Guardrail>) -> Answer {
        let mut answer = Answer::default();
        if let Some(Output::Message(message)) = &output.output {
            answer.text = heard(&message.content);
        }
        if let Some(usage) = &output.usage {
            count(&mut answer, usage);
        }
        answer.latency_ms =
            output.metrics.as_ref().and_then(|metrics| u64::try_from(metrics.latency_ms).ok());
        let trace = output.trace.as_ref().and_then(|trace| trace.guardrail.as_ref());
        self.end(answer, &output.stop_reason, trace, guardrail)
    }

    /// Completes a response: sets the finish reason and removes the object that was wrapped around the JSON.
    pub fn end(
        &self,
        mut answer: Answer,
        reason: &StopReason,
        trace: Option<&aws_sdk_bedrockruntime::types::GuardrailTraceAssessment>,
        guardrail: Option<&Guardrail>,
    ) -> Answer {
        answer.stop = match reason {
            StopReason::MaxTokens => Stop::MaxTokens,
            StopReason::ModelContextWindowExceeded => Stop::Window,
            StopReason::StopSequence => Stop::Sequence,
            StopReason::ContentFiltered => Stop::Filtered,
            StopReason::MalformedModelOutput | StopReason::MalformedToolUse => Stop::Malformed,
            StopReason::GuardrailIntervened => {
                let assessment = assessment::of_a_trace(trace, guardrail, &answer.text);
                if assessment.only_masked() { Stop::End } else { Stop::Intervened(assessment) }
            }
            _ => Stop::End,
        };
        if let Some(sheet) = &self.sheet {
            answer.text = sheet.unwrap(answer.text);
        }
        answer
    }
}

pub(super) fn count(answer: &mut Answer, usage: &TokenUsage) {
    answer.input_tokens = u64::try_from(usage.input_tokens).ok();
    answer.output_tokens = u64::try_from(usage.output_tokens).ok();
}

/// A common interface for the builders of the two calls: they have the same setters, but share no trait.
pub(super) trait Call {
    fn parts(self, parts: &Parts) -> Self;
}

macro_rules! call {
    ($builder:ty) => {
        impl Call for $builder {
            fn parts(self, parts: &Parts) -> Self {
                self.set_messages(Some(parts.messages.clone()))
                    .set_system(parts.system.clone())
                    .set_inference_config(parts.inference.clone())
                    .set_output_config(parts.output.clone())
                    .set_tool_config(parts.tools.clone())
            }
        }
    };
}

call!(ConverseFluentBuilder);
call!(ConverseStreamFluentBuilder);

/// Converts the messages. Converse requires alternating roles and rejects empty texts, so messages in a row by one role
/// are merged and empty ones dropped.
fn messages(request: &Request) -> Result<Vec<Message>, BuildError> {
    let spoken = request.messages.iter().filter(|message| !message.text.trim().is_empty());
    let spoken: Vec<_> = spoken.collect();
    spoken
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

fn said(text: &Option<String>) -> Option<String> {
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

fn structured_output(sheet: &Sheet) -> Result<OutputConfig, BuildError> {
    let schema = constrained(&sheet.schema).to_string();
    let schema = JsonSchemaDefinition::builder().name(&sheet.name).schema(schema).build()?;
    let format = OutputFormat::builder()
        .r#type(OutputFormatType::JsonSchema)
        .structure(OutputFormatStructure::JsonSchema(schema))
        .build()?;
    Ok(OutputConfig::builder().text_format(format).build())
}

/// Forces the tool with the choice `any`: with one tool it means that tool, and more models support it than a choice by
/// name.
fn forced_tool(sheet: &Sheet) -> Result<ToolConfiguration, BuildError> {
    let tool = ToolSpecification::builder()
        .name(&sheet.name)
        .description("Give the answer by this tool.")
        .input_schema(ToolInputSchema::Json(document::of(&sheet.schema)))
        .build()?;
    ToolConfiguration::builder()
        .tools(Tool::ToolSpec(tool))
        .tool_choice(ToolChoice::Any(AnyToolChoice::builder().build()))
        .build()
}

/// Returns the input of the first tool call as JSON, or else the text. Some models add text to a tool call, or make
/// several calls; only the first call is the response. Reasoning blocks are not part of it.
fn heard(blocks: &[ContentBlock]) -> String {
    match blocks.iter().find_map(|block| block.as_tool_use().ok()) {
        Some(tool) => document::json(&tool.input).to_string(),
        None => blocks.iter().filter_map(|block| block.as_text().ok()).map(String::as_str).collect(),
    }
}

fn unbuilt(error: BuildError) -> ModelError {
    ModelError::Refused { problem: error.to_string(), source: Some(error.into()) }
}
