//! Responses streamed as server-sent events. Only `data:` lines are read.

use futures_util::stream::{Stream, try_unfold};
use reqwest::Response;
use serde::de::IgnoredAny;

use super::{OpenAi, connection::LONGEST, error, wire};
use crate::model::{Answer, ModelError, Piece, schema::Sheet};

/// A response in progress.
pub(super) struct Speech<'a> {
    model: &'a OpenAi,
    response: Response,
    /// Bytes received that do not form a whole line yet.
    read: Vec<u8>,
    sheet: Option<Sheet>,
    answer: Answer,
    refusal: Option<String>,
    reason: Option<String>,
}

/// The meaning of one line of the stream.
enum Line {
    Words(String),
    /// No text for the caller.
    Silence,
    /// The end of the stream.
    Over,
}

impl<'a> Speech<'a> {
    pub fn new(model: &'a OpenAi, response: Response, sheet: Option<Sheet>) -> Self {
        let (answer, read) = (Answer::default(), Vec::new());
        Self { model, response, read, sheet, answer, refusal: None, reason: None }
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
            let line = match self.line() {
                Some(line) => self.take(&line)?,
                None => self.fill().await?,
            };
            match line {
                Line::Words(text) => return Ok(Some(text)),
                Line::Silence => {}
                Line::Over => return Ok(None),
            }
        }
    }

    /// Takes the next whole line from the buffer. It is split as bytes, because a character may be spread over two
    /// parts of the body.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.read.iter().position(|byte| *byte == b'\n')?;
        Some(self.read.drain(..=end).collect())
    }

    async fn fill(&mut self) -> Result<Line, ModelError> {
        let part = self.model.connection.wait(self.response.chunk()).await?;
        let Some(part) = part.map_err(error::broken)? else { return self.last() };
        self.read.extend_from_slice(&part);
        let refused = self.refusal.as_ref().map_or(0, String::len);
        let kept = self.read.len() + self.answer.text.len() + refused;
        if kept > LONGEST { Err(error::too_large()) } else { Ok(Line::Silence) }
    }

    /// Handles what is left at the end of the body. The last line may lack a line ending; it is used if it is whole
    /// JSON, and dropped if the connection broke in the middle of it.
    fn last(&mut self) -> Result<Line, ModelError> {
        let line = std::mem::take(&mut self.read);
        match data(&line) {
            Some(data) if serde_json::from_slice::<IgnoredAny>(data).is_ok() => self.take(&line),
            _ => Ok(Line::Over),
        }
    }

    fn take(&mut self, line: &[u8]) -> Result<Line, ModelError> {
        let Some(data) = data(line) else { return Ok(Line::Silence) };
        if data == b"[DONE]" {
            return Ok(Line::Over);
        }
        if let Some(error) = error::midstream(data, self.model) {
            return Err(error);
        }
        let event = serde_json::from_slice::<wire::Completion>(data).map_err(error::unreadable)?;
        if let Some(usage) = event.usage {
            usage.count(&mut self.answer);
        }
        let Some(choice) = event.choices.into_iter().next() else { return Ok(Line::Silence) };
        self.reason = choice.finish_reason.or(self.reason.take());
        let Some(message) = choice.message else { return Ok(Line::Silence) };
        if let Some(refusal) = message.refusal {
            self.refusal.get_or_insert_default().push_str(&refusal);
        }
        let text = message.content.unwrap_or_default();
        self.answer.text.push_str(&text);
        Ok(if text.is_empty() { Line::Silence } else { Line::Words(text) })
    }

    /// Completes the response. A connection can end without an error, so a stream without a finish reason is an error.
    fn end(self) -> Result<Answer, ModelError> {
        if self.reason.is_none() {
            let said = self.answer.text.chars().count();
            return Err(ModelError::Unavailable {
                problem: format!("the stream broke off after {said} characters; retry"),
                source: None,
            });
        }
        wire::end(self.answer, self.reason.as_deref(), self.refusal, self.sheet.as_ref())
    }
}

fn data(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"data:").map(<[u8]>::trim_ascii)
}
