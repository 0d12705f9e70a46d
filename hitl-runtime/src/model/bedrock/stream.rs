//! Responses streamed by ConverseStream.

use aws_sdk_bedrockruntime::{
    primitives::event_stream::EventReceiver,
    types::{
        ContentBlockDelta, ContentBlockDeltaEvent, ConverseStreamMetadataEvent,
        ConverseStreamOutput as Event, GuardrailTraceAssessment, StopReason,
        error::ConverseStreamOutputError,
    },
};
use futures_util::stream::{Stream, try_unfold};

use super::{Bedrock, converse, converse::ConverseRequest, error};
use crate::model::{Chunk, Completion, ModelError};

/// A response in progress.
pub(super) struct CompletionStream<'a> {
    model: &'a Bedrock,
    events: EventReceiver<Event, ConverseStreamOutputError>,
    request: ConverseRequest,
    completion: Completion,
    /// Text received while a tool is forced. It is the response only if the model calls no tool.
    fallback_text: String,
    /// The content block of the first tool call.
    tool: Option<i32>,
    finish_reason: Option<StopReason>,
    trace: Option<GuardrailTraceAssessment>,
}

impl<'a> CompletionStream<'a> {
    pub fn new(
        model: &'a Bedrock,
        events: EventReceiver<Event, ConverseStreamOutputError>,
        request: ConverseRequest,
    ) -> Self {
        let (completion, fallback_text) = (Completion::default(), String::new());
        Self {
            model,
            events,
            request,
            completion,
            fallback_text,
            tool: None,
            finish_reason: None,
            trace: None,
        }
    }

    pub fn into_chunks(self) -> impl Stream<Item = Result<Chunk, ModelError>> + use<'a> {
        try_unfold(Some(self), |stream| async move {
            let Some(mut stream) = stream else { return Ok(None) };
            Ok(match stream.next().await? {
                Some(text) => Some((Chunk::Text(text), Some(stream))),
                None => Some((Chunk::End(stream.finish()?), None)),
            })
        })
    }

    /// Returns the next text, or `None` at the end of the stream.
    async fn next(&mut self) -> Result<Option<String>, ModelError> {
        loop {
            let event = self.model.connection.with_timeout(self.events.recv()).await?;
            let event = event.map_err(|error| error::midstream(error, self.model))?;
            let text = match event {
                None => return Ok(None),
                Some(Event::ContentBlockDelta(event)) => self.read_delta(event),
                Some(Event::MessageStop(event)) => {
                    self.finish_reason = Some(event.stop_reason);
                    self.take_fallback_text()
                }
                Some(Event::Metadata(event)) => {
                    self.read_metadata(event);
                    continue;
                }
                Some(_) => continue,
            };
            if !text.is_empty() {
                self.completion.text.push_str(&text);
                return Ok(Some(text));
            }
        }
    }

    /// Returns the text of an event for the caller. As in a response that is not streamed, the first tool call takes
    /// precedence over text and over later tool calls.
    fn read_delta(&mut self, event: ContentBlockDeltaEvent) -> String {
        let block = event.content_block_index;
        match event.delta {
            Some(ContentBlockDelta::Text(text)) if self.request.forces_tool() => {
                self.fallback_text.push_str(&text);
                String::new()
            }
            Some(ContentBlockDelta::Text(text)) => text,
            Some(ContentBlockDelta::ToolUse(tool)) if *self.tool.get_or_insert(block) == block => tool.input,
            _ => String::new(),
        }
    }

    /// Returns the text set aside if there was no tool call: a guardrail's message is text, and some models ignore a
    /// forced tool.
    fn take_fallback_text(&mut self) -> String {
        let fallback_text = std::mem::take(&mut self.fallback_text);
        if self.tool.is_none() { fallback_text } else { String::new() }
    }

    fn read_metadata(&mut self, event: ConverseStreamMetadataEvent) {
        if let Some(usage) = &event.usage {
            converse::set_usage(&mut self.completion, usage);
        }
        self.completion.latency = event.metrics.and_then(|metrics| converse::latency(metrics.latency_ms));
        self.trace = event.trace.and_then(|trace| trace.guardrail);
    }

    /// Completes the response. A stream can break off without an error, so one without a finish reason is an error.
    fn finish(self) -> Result<Completion, ModelError> {
        let Some(reason) = &self.finish_reason else {
            let received = self.completion.text.chars().count();
            return Err(ModelError::Unavailable {
                problem: format!("the stream broke off after {received} characters; retry"),
                source: None,
            });
        };
        Ok(self.request.finish(self.completion, reason, self.trace.as_ref(), self.model.guardrail.as_ref()))
    }
}
