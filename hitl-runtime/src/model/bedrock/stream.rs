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

use super::{Bedrock, converse, converse::Parts, error};
use crate::model::{Answer, ModelError, Piece};

/// A response in progress.
pub(super) struct Speech<'a> {
    model: &'a Bedrock,
    events: EventReceiver<Event, ConverseStreamOutputError>,
    parts: Parts,
    answer: Answer,
    /// Text received while a tool is forced. It is the response only if the model calls no tool.
    aside: String,
    /// The content block of the first tool call.
    tool: Option<i32>,
    stop: Option<StopReason>,
    trace: Option<GuardrailTraceAssessment>,
}

impl<'a> Speech<'a> {
    pub fn new(
        model: &'a Bedrock,
        events: EventReceiver<Event, ConverseStreamOutputError>,
        parts: Parts,
    ) -> Self {
        let (answer, aside) = (Answer::default(), String::new());
        Self { model, events, parts, answer, aside, tool: None, stop: None, trace: None }
    }

    pub fn pieces(self) -> impl Stream<Item = Result<Piece, ModelError>> + use<'a> {
        try_unfold(Some(self), |speech| async move {
            let Some(mut speech) = speech else { return Ok(None) };
            Ok(match speech.next().await? {
                Some(text) => Some((Piece::Text(text), Some(speech))),
                None => Some((Piece::End(speech.end()?), None)),
            })
        })
    }

    /// Returns the next text, or `None` at the end of the stream.
    async fn next(&mut self) -> Result<Option<String>, ModelError> {
        loop {
            let event = self.model.connection.wait(self.events.recv()).await?;
            let event = event.map_err(|error| error::midstream(error, self.model))?;
            let text = match event {
                None => return Ok(None),
                Some(Event::ContentBlockDelta(event)) => self.hear(event),
                Some(Event::MessageStop(event)) => {
                    self.stop = Some(event.stop_reason);
                    self.fall_back()
                }
                Some(Event::Metadata(event)) => {
                    self.note(event);
                    continue;
                }
                Some(_) => continue,
            };
            if !text.is_empty() {
                self.answer.text.push_str(&text);
                return Ok(Some(text));
            }
        }
    }

    /// Returns the text of an event for the caller. As in a response that is not streamed, the first tool call takes
    /// precedence over text and over later tool calls.
    fn hear(&mut self, event: ContentBlockDeltaEvent) -> String {
        let block = event.content_block_index;
        match event.delta {
            Some(ContentBlockDelta::Text(text)) if self.parts.force_a_tool() => {
                self.aside.push_str(&text);
                String::new()
            }
            Some(ContentBlockDelta::Text(text)) => text,
            Some(ContentBlockDelta::ToolUse(tool)) if *self.tool.get_or_insert(block) == block => tool.input,
            _ => String::new(),
        }
    }

    /// Returns the text set aside if there was no tool call: a guardrail's message is text, and some models ignore a
    /// forced tool.
    fn fall_back(&mut self) -> String {
        let aside = std::mem::take(&mut self.aside);
        if self.tool.is_none() { aside } else { String::new() }
    }

    fn note(&mut self, event: ConverseStreamMetadataEvent) {
        if let Some(usage) = &event.usage {
            converse::count(&mut self.answer, usage);
        }
        self.answer.latency_ms = event.metrics.and_then(|metrics| u64::try_from(metrics.latency_ms).ok());
        self.trace = event.trace.and_then(|trace| trace.guardrail);
    }

    /// Completes the response. A stream can break off without an error, so one without a finish reason is an error.
    fn end(self) -> Result<Answer, ModelError> {
        let Some(stop) = &self.stop else {
            let said = self.answer.text.chars().count();
            return Err(ModelError::Unavailable {
                problem: format!("the stream broke off after {said} characters; retry"),
                source: None,
            });
        };
        Ok(self.parts.end(self.answer, stop, self.trace.as_ref(), self.model.guardrail.as_ref()))
    }
}
