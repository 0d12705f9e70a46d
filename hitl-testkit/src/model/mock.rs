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
use hitl_core::model::{Chunk, Completion, Model, ModelError, Request};

type Condition = Box<dyn Fn(&Request) -> bool + Send + Sync>;

/// A mock model for tests: it returns scripted responses and records the requests.
///
/// Each response is returned once. A request gets the first remaining response whose condition holds for it; a response
/// without a condition matches any request.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::{model::{ModelError, ModelExt}, testkit::{MockModel, MockResponse}};
///
/// let model = MockModel::new(["Refund it."])
///     .when(|request| request.response_schema.is_some(), r#"{"dollars": 149}"#)
///     .then(MockResponse::error(ModelError::Throttled { wait: None, source: None }));
///
/// assert_eq!(model.text("What about order A-9133?").await?, "Refund it.");
/// assert!(matches!(model.text("And now?").await, Err(ModelError::Throttled { .. })));
/// assert_eq!(model.requests()[0].messages[0].text, "What about order A-9133?");
/// assert_eq!(model.remaining(), 1); // the one for a response schema
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct MockModel {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    responses: VecDeque<(Option<Condition>, MockResponse)>,
    requests: Vec<Request>,
}

impl MockModel {
    /// Creates a mock with these responses, in order.
    pub fn new<L: Into<MockResponse>>(responses: impl IntoIterator<Item = L>) -> Self {
        let responses = responses.into_iter().map(|response| (None, response.into())).collect();
        Self { state: Mutex::new(State { responses, requests: Vec::new() }) }
    }

    /// Appends a response that matches any request.
    #[must_use]
    pub fn then(self, response: impl Into<MockResponse>) -> Self {
        self.add(None, response.into())
    }

    /// Appends a response that matches only a request for which `condition` returns `true`.
    #[must_use]
    pub fn when(
        self,
        condition: impl Fn(&Request) -> bool + Send + Sync + 'static,
        response: impl Into<MockResponse>,
    ) -> Self {
        self.add(Some(Box::new(condition)), response.into())
    }

    /// Returns the requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// Returns the number of responses not yet returned. A test that expects all of them to be used asserts that it is
    /// 0.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.state().responses.len()
    }

    fn add(self, condition: Option<Condition>, response: MockResponse) -> Self {
        self.state().responses.push_back((condition, response));
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, request: &Request) -> Result<Vec<Chunk>, ModelError> {
        let mut state = self.state();
        state.requests.push(request.clone());
        let matches = |(condition, _): &(Option<Condition>, MockResponse)| {
            condition.as_ref().is_none_or(|condition| condition(request))
        };
        let response = state.responses.iter().position(matches).and_then(|at| state.responses.remove(at));
        response.map_or_else(|| Err(unscripted(request, state.responses.len())), |(_, response)| response.0)
    }
}

fn unscripted(request: &Request, remaining: usize) -> ModelError {
    let last = request.messages.last().map_or("", |message| message.text.as_str());
    let why = if remaining == 0 {
        "all responses of the mock are used".to_owned()
    } else {
        format!("none of the remaining responses ({remaining}) matches it")
    };
    ModelError::Unscripted { problem: format!("{why}; add a response for {last:?} to the mock") }
}

impl Model for MockModel {
    fn complete<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Completion, ModelError>> {
        let completion = self.next(request).map(|chunks| {
            let end = chunks.into_iter().find_map(|chunk| match chunk {
                Chunk::End(completion) => Some(completion),
                _ => None,
            });
            end.unwrap_or_default()
        });
        ready(completion).boxed()
    }

    fn stream<'a>(&'a self, request: &'a Request) -> BoxStream<'a, Result<Chunk, ModelError>> {
        match self.next(request) {
            Ok(chunks) => iter(chunks).map(Ok).boxed(),
            Err(error) => iter([Err(error)]).boxed(),
        }
    }
}

impl fmt::Debug for MockModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("MockModel")
            .field("requests", &state.requests)
            .field("remaining", &state.responses.len())
            .finish()
    }
}

/// A response of a [`MockModel`]: a text, a [`Completion`] with its finish reason and usage, or an error.
///
/// ```
/// use hitl::testkit::{MockModel, MockResponse};
///
/// let responses = [MockResponse::from("Refund it."), MockResponse::chunks(["Refund ", "it."])];
/// assert_eq!(MockModel::new(responses).remaining(), 2);
/// ```
#[derive(Debug)]
pub struct MockResponse(Result<Vec<Chunk>, ModelError>);

impl MockResponse {
    /// Creates a text that is streamed in these chunks.
    pub fn chunks<S: Into<String>>(chunks: impl IntoIterator<Item = S>) -> Self {
        let chunks: Vec<String> = chunks.into_iter().map(Into::into).collect();
        let end = Chunk::End(Completion::from(chunks.concat()));
        Self(Ok(chunks.into_iter().map(Chunk::Text).chain([end]).collect()))
    }

    /// Creates a response that fails with `error`.
    #[must_use]
    pub fn error(error: ModelError) -> Self {
        Self(Err(error))
    }
}

impl From<Completion> for MockResponse {
    fn from(completion: Completion) -> Self {
        Self(Ok(vec![Chunk::Text(completion.text.clone()), Chunk::End(completion)]))
    }
}

impl From<&str> for MockResponse {
    fn from(text: &str) -> Self {
        Self::chunks([text])
    }
}

impl From<String> for MockResponse {
    fn from(text: String) -> Self {
        Self::chunks([text])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitl::model::{ModelExt, Role};

    #[tokio::test]
    async fn an_unscripted_request_is_quoted_in_the_error() {
        let model = MockModel::new(["Refund it."]).when(|request| request.response_schema.is_some(), "{}");
        model.text("one").await.unwrap();
        let error = model.text(Request::from("one").message(Role::User, "two")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the mock has no response for this request: none of the remaining responses (1) matches it; \
             add a response for \"two\" to the mock"
        );
    }

    #[tokio::test]
    async fn a_response_is_returned_when_its_condition_holds() {
        let about = |word: &'static str| move |request: &Request| request.messages[0].text.contains(word);
        let model = MockModel::default().when(about("A-2"), "two").when(about("A-1"), "one").then("any");
        assert_eq!(model.text("A-1").await.unwrap(), "one");
        assert_eq!(model.text("A-1").await.unwrap(), "any");
        assert_eq!(model.text("A-2").await.unwrap(), "two");
    }

    #[tokio::test]
    async fn an_error_is_returned_once() {
        let model = MockModel::new([
            MockResponse::error(ModelError::Throttled { wait: None, source: None }),
            "then".into(),
        ]);
        assert_eq!(model.text("?").await.unwrap_err().code(), "throttled");
        assert_eq!(model.text("?").await.unwrap(), "then");
    }
}
