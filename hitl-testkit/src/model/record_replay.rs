//! Record and replay: exchanges with a model, written to a file and replayed from it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use hitl_core::model::{BoxFuture, BoxStream, Chunk, Completion, Model, ModelError, Request};
use serde::{Deserialize, Serialize};

/// A request and the response to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Exchange {
    request: Request,
    #[serde(rename = "answer")]
    completion: Completion,
}

/// The contents of the file.
#[derive(Default, Serialize, Deserialize)]
struct Recording {
    exchanges: Vec<Exchange>,
}

impl Recording {
    fn read(file: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(file)?)?)
    }

    /// Replaces the file atomically: a concurrent reader sees either the old or the new contents.
    fn write(&self, file: &Path) -> io::Result<()> {
        let temporary = file.with_extension("part");
        std::fs::write(&temporary, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(temporary, file)
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
/// use hitl::{model::ModelExt, testkit::{MockModel, Recorder, Replay}};
///
/// # let dir = tempfile::tempdir()?;
/// # let file = dir.path().join("refund.json");
/// let model = Recorder::new(MockModel::new(["Refund it."]), &file); // in practice, a real model
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
    recording: Arc<Mutex<Recording>>,
}

impl<M: Model> Recorder<M> {
    /// Creates a recorder that writes to `file`. Its first exchange replaces an existing file.
    pub fn new(model: M, file: impl Into<PathBuf>) -> Self {
        Self { model, file: file.into(), recording: Arc::default() }
    }

    async fn record(&self, request: Request, completion: Completion) -> Result<Completion, ModelError> {
        let (recording, file) = (Arc::clone(&self.recording), self.file.clone());
        let exchange = Exchange { request, completion: completion.clone() };
        let written = tokio::task::spawn_blocking(move || {
            let mut recording = recording.lock().unwrap_or_else(PoisonError::into_inner);
            recording.exchanges.push(exchange);
            recording.write(&file)
        });
        let written = written.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map(|()| completion).map_err(|error| ModelError::Unavailable {
            problem: format!(
                "the exchange could not be written to {}; check the path and its permissions",
                self.file.display()
            ),
            source: Some(error.into()),
        })
    }
}

impl<M: Model> Model for Recorder<M> {
    fn complete<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Completion, ModelError>> {
        async move { self.record(request.clone(), self.model.complete(request).await?).await }.boxed()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Chunk, ModelError>> {
        let recorded = move |chunk| async move {
            Ok(match chunk {
                Chunk::End(completion) => Chunk::End(self.record(request.clone(), completion).await?),
                text => text,
            })
        };
        self.model.stream(request).and_then(recorded).boxed()
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
/// use hitl::{model::{ModelError, ModelExt}, testkit::Replay};
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
    remaining: Mutex<Vec<Exchange>>,
}

impl Replay {
    /// Opens a file that a [`Recorder`] wrote.
    ///
    /// # Errors
    /// As reading a file; [`io::ErrorKind::InvalidData`] if it is not a recording.
    pub fn open(file: impl Into<PathBuf>) -> io::Result<Self> {
        let file = file.into();
        let remaining = Mutex::new(Recording::read(&file)?.exchanges);
        Ok(Self { file, remaining })
    }

    fn next(&self, request: &Request) -> Result<Completion, ModelError> {
        let mut remaining = self.remaining.lock().unwrap_or_else(PoisonError::into_inner);
        let at = remaining.iter().position(|exchange| exchange.request == *request);
        at.map(|at| remaining.remove(at).completion).ok_or_else(|| ModelError::Unscripted {
            problem: format!("{} does not contain it, or not as often; record it again", self.file.display()),
        })
    }
}

impl Model for Replay {
    fn complete<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Completion, ModelError>> {
        std::future::ready(self.next(request)).boxed()
    }
}

impl<M> fmt::Debug for Recorder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("file", &self.file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitl::{
        model::{FinishReason, ModelExt},
        testkit::{MockModel, MockResponse},
    };

    #[tokio::test]
    async fn exchanges_are_replayed_as_often_as_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("recording.json");
        let cut = Completion::from("three".to_owned()).with_finish_reason(FinishReason::MaxTokens);
        let mock = MockModel::new(["one", "two"]).then(cut).then(MockResponse::error(ModelError::Filtered));
        let recorder = Recorder::new(mock, &file);
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
        let recorder = Recorder::new(MockModel::new(["one"]), dir.path().join("nowhere/recording.json"));
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
