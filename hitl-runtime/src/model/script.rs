//! A mock model with scripted responses.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, ready},
    stream::{BoxStream, iter},
};

use super::{Answer, Model, ModelError, Piece, Request};

type Cue = Box<dyn Fn(&Request) -> bool + Send + Sync>;

/// A mock model for tests: it returns scripted responses and records the requests.
///
/// Each line is returned once. A request gets the first line left whose condition holds for it; a line without a
/// condition matches any request.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::model::{Line, ModelError, ModelExt, Script};
///
/// let model = Script::new(["Refund it."])
///     .when(|request| request.form.is_some(), r#"{"dollars": 149}"#)
///     .then(Line::fail(ModelError::Throttled { wait: None, source: None }));
///
/// assert_eq!(model.text("What about order A-9133?").await?, "Refund it.");
/// assert!(matches!(model.text("And now?").await, Err(ModelError::Throttled { .. })));
/// assert_eq!(model.asked()[0].messages[0].text, "What about order A-9133?");
/// assert_eq!(model.left(), 1); // the one for a form
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Script {
    stage: Mutex<Stage>,
}

#[derive(Default)]
struct Stage {
    lines: VecDeque<(Option<Cue>, Line)>,
    asked: Vec<Request>,
}

impl Script {
    /// Creates a script of these lines, in order.
    pub fn new<L: Into<Line>>(lines: impl IntoIterator<Item = L>) -> Self {
        let lines = lines.into_iter().map(|line| (None, line.into())).collect();
        Self { stage: Mutex::new(Stage { lines, asked: Vec::new() }) }
    }

    /// Appends a line that matches any request.
    #[must_use]
    pub fn then(self, line: impl Into<Line>) -> Self {
        self.add(None, line.into())
    }

    /// Appends a line that matches only a request for which `cue` returns `true`.
    #[must_use]
    pub fn when(self, cue: impl Fn(&Request) -> bool + Send + Sync + 'static, line: impl Into<Line>) -> Self {
        self.add(Some(Box::new(cue)), line.into())
    }

    /// Returns the requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Request> {
        self.stage().asked.clone()
    }

    /// Returns the number of lines not yet returned. A test that expects all of them to be used asserts that it is 0.
    #[must_use]
    pub fn left(&self) -> usize {
        self.stage().lines.len()
    }

    fn add(self, cue: Option<Cue>, line: Line) -> Self {
        self.stage().lines.push_back((cue, line));
        self
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, request: &Request) -> Result<Vec<Piece>, ModelError> {
        let mut stage = self.stage();
        stage.asked.push(request.clone());
        let fits = |(cue, _): &(Option<Cue>, Line)| cue.as_ref().is_none_or(|cue| cue(request));
        let line = stage.lines.iter().position(fits).and_then(|at| stage.lines.remove(at));
        line.map_or_else(|| Err(unscripted(request, stage.lines.len())), |(_, line)| line.0)
    }
}

fn unscripted(request: &Request, left: usize) -> ModelError {
    let last = request.messages.last().map_or("", |message| message.text.as_str());
    let why = if left == 0 {
        "all lines of the script are used".to_owned()
    } else {
        format!("none of the lines left ({left}) matches it")
    };
    ModelError::Unscripted { problem: format!("{why}; add a line for {last:?} to the script") }
}

impl Model for Script {
    fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>> {
        let answer = self.next(request).map(|pieces| {
            let end = pieces.into_iter().find_map(|piece| match piece {
                Piece::End(answer) => Some(answer),
                Piece::Text(_) => None,
            });
            end.unwrap_or_default()
        });
        ready(answer).boxed()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Piece, ModelError>> {
        match self.next(request) {
            Ok(pieces) => iter(pieces).map(Ok).boxed(),
            Err(error) => iter([Err(error)]).boxed(),
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = self.stage();
        f.debug_struct("Script").field("asked", &stage.asked).field("left", &stage.lines.len()).finish()
    }
}

/// A line of a [`Script`]: a text, an [`Answer`] with its finish reason and usage, or an error.
///
/// ```
/// use hitl::model::{Line, Script};
///
/// let lines = [Line::from("Refund it."), Line::pieces(["Refund ", "it."])];
/// assert_eq!(Script::new(lines).left(), 2);
/// ```
#[derive(Debug)]
pub struct Line(Result<Vec<Piece>, ModelError>);

impl Line {
    /// Creates a text that is streamed in these chunks.
    pub fn pieces<S: Into<String>>(pieces: impl IntoIterator<Item = S>) -> Self {
        let pieces: Vec<String> = pieces.into_iter().map(Into::into).collect();
        let end = Piece::End(Answer::from(pieces.concat()));
        Self(Ok(pieces.into_iter().map(Piece::Text).chain([end]).collect()))
    }

    /// Creates a line that fails with `error`.
    #[must_use]
    pub fn fail(error: ModelError) -> Self {
        Self(Err(error))
    }
}

impl From<Answer> for Line {
    fn from(answer: Answer) -> Self {
        Self(Ok(vec![Piece::Text(answer.text.clone()), Piece::End(answer)]))
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::pieces([text])
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::pieces([text])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelExt, Role};

    #[tokio::test]
    async fn an_unscripted_request_is_quoted_in_the_error() {
        let script = Script::new(["Refund it."]).when(|request| request.form.is_some(), "{}");
        script.text("one").await.unwrap();
        let error = script.text(Request::from("one").message(Role::User, "two")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the mock has no response for this request: none of the lines left (1) matches it; \
             add a line for \"two\" to the script"
        );
    }

    #[tokio::test]
    async fn a_line_waits_for_its_cue() {
        let about = |word: &'static str| move |request: &Request| request.messages[0].text.contains(word);
        let script = Script::default().when(about("A-2"), "two").when(about("A-1"), "one").then("any");
        assert_eq!(script.text("A-1").await.unwrap(), "one");
        assert_eq!(script.text("A-1").await.unwrap(), "any");
        assert_eq!(script.text("A-2").await.unwrap(), "two");
    }

    #[tokio::test]
    async fn a_throttled_model_says_so_and_the_script_goes_on() {
        let script =
            Script::new([Line::fail(ModelError::Throttled { wait: None, source: None }), "then".into()]);
        assert_eq!(script.text("?").await.unwrap_err().code(), "throttled");
        assert_eq!(script.text("?").await.unwrap(), "then");
    }
}
