//! Responses streamed as server-sent events. Only `data:` lines are read.

use futures_util::stream::{Stream, try_unfold};
use reqwest::Response;
use serde::de::IgnoredAny;

use super::{OpenAi, connection::MAX_RESPONSE_BYTES, error, wire};
use crate::model::{Chunk, Completion, ModelError, schema::ObjectSchema};

/// A response in progress.
pub(super) struct CompletionStream<'a> {
    model: &'a OpenAi,
    response: Response,
    /// Bytes received that do not form a whole line yet.
    buffer: Vec<u8>,
    object_schema: Option<ObjectSchema>,
    completion: Completion,
    refusal: Option<String>,
    finish_reason: Option<String>,
}

/// The meaning of one line of the stream.
enum Event {
    Text(String),
    /// No text for the caller.
    Empty,
    /// The end of the stream.
    End,
}

impl<'a> CompletionStream<'a> {
    pub fn new(model: &'a OpenAi, response: Response, object_schema: Option<ObjectSchema>) -> Self {
        let (completion, buffer) = (Completion::default(), Vec::new());
        Self { model, response, buffer, object_schema, completion, refusal: None, finish_reason: None }
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
            let event = match self.take_line() {
                Some(line) => self.parse_line(&line)?,
                None => self.receive().await?,
            };
            match event {
                Event::Text(text) => return Ok(Some(text)),
                Event::Empty => {}
                Event::End => return Ok(None),
            }
        }
    }

    /// Takes the next whole line from the buffer. It is split as bytes, because a character may be spread over two
    /// parts of the body.
    fn take_line(&mut self) -> Option<Vec<u8>> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
        Some(self.buffer.drain(..=end).collect())
    }

    async fn receive(&mut self) -> Result<Event, ModelError> {
        let part = self.model.connection.with_timeout(self.response.chunk()).await?;
        let Some(part) = part.map_err(error::from_body_error)? else { return self.parse_rest() };
        self.buffer.extend_from_slice(&part);
        let refusal = self.refusal.as_ref().map_or(0, String::len);
        let size = self.buffer.len() + self.completion.text.len() + refusal;
        if size > MAX_RESPONSE_BYTES { Err(error::too_large()) } else { Ok(Event::Empty) }
    }

    /// Handles what is left at the end of the body. The last line may lack a line ending; it is used if it is whole
    /// JSON, and dropped if the connection broke in the middle of it.
    fn parse_rest(&mut self) -> Result<Event, ModelError> {
        let line = std::mem::take(&mut self.buffer);
        match data(&line) {
            Some(data) if serde_json::from_slice::<IgnoredAny>(data).is_ok() => self.parse_line(&line),
            _ => Ok(Event::End),
        }
    }

    fn parse_line(&mut self, line: &[u8]) -> Result<Event, ModelError> {
        let Some(data) = data(line) else { return Ok(Event::Empty) };
        if data == b"[DONE]" {
            return Ok(Event::End);
        }
        if let Some(error) = error::midstream(data, self.model) {
            return Err(error);
        }
        let event = serde_json::from_slice::<wire::ChatCompletion>(data).map_err(error::from_json_error)?;
        if let Some(usage) = event.usage {
            usage.apply_to(&mut self.completion);
        }
        let Some(choice) = event.choices.into_iter().next() else { return Ok(Event::Empty) };
        self.finish_reason = choice.finish_reason.or(self.finish_reason.take());
        let Some(message) = choice.message else { return Ok(Event::Empty) };
        if let Some(refusal) = message.refusal {
            self.refusal.get_or_insert_default().push_str(&refusal);
        }
        let text = message.content.unwrap_or_default();
        self.completion.text.push_str(&text);
        Ok(if text.is_empty() { Event::Empty } else { Event::Text(text) })
    }

    /// Completes the response. A connection can end without an error, so a stream without a finish reason is an error.
    fn finish(self) -> Result<Completion, ModelError> {
        if self.finish_reason.is_none() {
            let received = self.completion.text.chars().count();
            return Err(ModelError::Unavailable {
                problem: format!("the stream broke off after {received} characters; retry"),
                source: None,
            });
        }
        wire::finish(
            self.completion,
            self.finish_reason.as_deref(),
            self.refusal,
            self.object_schema.as_ref(),
        )
    }
}

fn data(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"data:").map(<[u8]>::trim_ascii)
}
