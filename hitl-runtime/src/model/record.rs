//! Record and replay: exchanges with a model, written to a file and replayed from it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::{Answer, BoxFuture, BoxStream, Model, ModelError, Piece, Request};

/// A request and the response to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Exchange {
    request: Request,
    answer: Answer,
}

/// The contents of the file.
#[derive(Default, Serialize, Deserialize)]
struct Tape {
    exchanges: Vec<Exchange>,
}

impl Tape {
    fn read(file: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(file)?)?)
    }

    /// Replaces the file atomically: a concurrent reader sees either the old or the new contents.
    fn write(&self, file: &Path) -> io::Result<()> {
        let beside = file.with_extension("part");
        std::fs::write(&beside, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(beside, file)
    }
}

/// A wrapper that records the exchanges with a model in a file, for [`Replay`]. Record once with the real model; replay
/// in every test.
///
/// The file holds requests and responses, including any secret that *you* put into a request; API keys and credentials
/// are not part of a request. Errors are not recorded. Each exchange is written to the file before its response is
/// returned.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::model::{ModelExt, Recorder, Replay, Script};
///
/// # let dir = tempfile::tempdir()?;
/// # let file = dir.path().join("refund.json");
/// let model = Recorder::new(Script::new(["Refund it."]), &file); // in practice, a real model
/// model.text("What about order A-9133?").await?;
///
/// let model = Replay::open(&file)?;
/// assert_eq!(model.text("What about order A-9133?").await?, "Refund it.");
/// # Ok(())
/// # }
/// ```
pub struct Recorder<M> {
    model: M,
    file: PathBuf,
    tape: Arc<Mutex<Tape>>,
}

impl<M: Model> Recorder<M> {
    /// Creates a recorder that writes to `file`. Its first exchange replaces an existing file.
    pub fn new(model: M, file: impl Into<PathBuf>) -> Self {
        Self { model, file: file.into(), tape: Arc::default() }
    }

    async fn keep(&self, request: Request, answer: Answer) -> Result<Answer, ModelError> {
        let (tape, file) = (Arc::clone(&self.tape), self.file.clone());
        let exchange = Exchange { request, answer: answer.clone() };
        let written = tokio::task::spawn_blocking(move || {
            let mut tape = tape.lock().unwrap_or_else(PoisonError::into_inner);
            tape.exchanges.push(exchange);
            tape.write(&file)
        });
        let written = written.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map(|()| answer).map_err(|error| ModelError::Unavailable {
            problem: format!(
                "the exchange could not be written to {}; check the path and its permissions",
                self.file.display()
            ),
            source: Some(error.into()),
        })
    }
}

impl<M: Model> Model for Recorder<M> {
    fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>> {
        async move { self.keep(request.clone(), self.model.answer(request).await?).await }.boxed()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Piece, ModelError>> {
        let kept = move |piece| async move {
            Ok(match piece {
                Piece::End(answer) => Piece::End(self.keep(request.clone(), answer).await?),
                text => text,
            })
        };
        self.model.stream(request).and_then(kept).boxed()
    }

    fn name(&self) -> &str {
        self.model.name()
    }
}

/// A model that replays the exchanges of a [`Recorder`]. Each request gets its recorded response; if the same request
/// was recorded more than once, its responses are returned in order, each once.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::model::{ModelError, ModelExt, Replay};
///
/// # let dir = tempfile::tempdir()?;
/// # let file = dir.path().join("refund.json");
/// # std::fs::write(&file, r#"{"exchanges": []}"#)?;
/// let model = Replay::open(&file)?;
/// assert!(matches!(model.text("Who are you?").await, Err(ModelError::Unscripted { .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Replay {
    file: PathBuf,
    left: Mutex<Vec<Exchange>>,
}

impl Replay {
    /// Opens a file that a [`Recorder`] wrote.
    ///
    /// # Errors
    /// As reading a file; [`io::ErrorKind::InvalidData`] if it is not a recording.
    pub fn open(file: impl Into<PathBuf>) -> io::Result<Self> {
        let file = file.into();
        let left = Mutex::new(Tape::read(&file)?.exchanges);
        Ok(Self { file, left })
    }

    fn next(&self, request: &Request) -> Result<Answer, ModelError> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let at = left.iter().position(|exchange| exchange.request == *request);
        at.map(|at| left.remove(at).answer).ok_or_else(|| ModelError::Unscripted {
            problem: format!("{} does not contain it, or not as often; record it again", self.file.display()),
        })
    }
}

impl Model for Replay {
    fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>> {
        std::future::ready(self.next(request)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Line, ModelExt, Script, Stop};

    #[tokio::test]
    async fn exchanges_are_replayed_as_often_as_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tape.json");
        let cut = Answer::from("three".to_owned()).stopped(Stop::MaxTokens);
        let script = Script::new(["one", "two"]).then(cut).then(Line::fail(ModelError::Filtered));
        let recorder = Recorder::new(script, &file);
        for _ in 0..4 {
            let _ = recorder.text("?").await;
        }
        let replay = Replay::open(&file).unwrap();
        assert_eq!(replay.text("?").await.unwrap(), "one");
        assert_eq!(replay.text("?").await.unwrap(), "two");
        assert_eq!(replay.text("?").await.unwrap_err().code(), "cut_off");
        assert_eq!(replay.text("?").await.unwrap_err().code(), "unscripted");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(Script::new(["one"]), dir.path().join("nowhere/tape.json"));
        assert_eq!(recorder.text("?").await.unwrap_err().code(), "unavailable");
    }

    #[test]
    fn another_kind_of_file_is_rejected() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("notes.json");
        std::fs::write(&file, "[1, 2]").unwrap();
        assert_eq!(Replay::open(&file).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
