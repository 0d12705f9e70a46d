//! An answer as server-sent events, of which only the lines with data matter.

use futures_util::stream::{Stream, try_unfold};
use reqwest::Response;
use serde::de::IgnoredAny;

use super::{OpenAi, connection::LONGEST, error, wire};
use crate::model::{Answer, ModelError, Piece, schema::Sheet};

/// An answer that is being given.
pub(super) struct Speech<'a> {
    model: &'a OpenAi,
    response: Response,
    /// What was read and is no whole line yet.
    read: Vec<u8>,
    sheet: Option<Sheet>,
    answer: Answer,
    refusal: Option<String>,
    reason: Option<String>,
}

/// What a line of the stream is.
enum Line {
    Words(String),
    /// Nothing that is said aloud.
    Silence,
    /// No line comes any more.
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

    /// The next words; none when the stream has ended.
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

    /// The next whole line. It is cut off as bytes: a character may be in two parts.
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
        if kept > LONGEST { Err(error::endless()) } else { Ok(Line::Silence) }
    }

    /// What comes last may have no end of its line. Half a line is what a broken connection leaves, and says nothing.
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

    /// A connection may end without an error: only a stream that says why it stops has ended.
    fn end(self) -> Result<Answer, ModelError> {
        if self.reason.is_none() {
            let said = self.answer.text.chars().count();
            return Err(ModelError::Unavailable {
                problem: format!("its stream broke off after {said} characters; try again"),
                source: None,
            });
        }
        wire::end(self.answer, self.reason.as_deref(), self.refusal, self.sheet.as_ref())
    }
}

fn data(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"data:").map(<[u8]>::trim_ascii)
}
