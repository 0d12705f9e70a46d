//! The call by which a front in a process of its own wakes a runner.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use hitl_core::env::optional_var;
use hitl_runtime::{Error, ThreadId, plumbing::Engine};

/// The time to wait for a runner's answer. It answers when the thread rests, and goes on if the caller does not wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// Converts an engine to that of a front, which wakes the runner at `HITL_RUNNER_URL`, if that is set. Without it, the next
/// sweep of a runner finds the threads.
///
/// # Errors
/// [`Error::NotSetUp`] if the setting is not the address of a server.
pub fn front_from_env(engine: &Engine) -> Result<Arc<Engine>, Error> {
    let invalid = |problem: &str| Error::NotSetUp { problem: format!("HITL_RUNNER_URL {problem}") };
    let front = engine.clone().into_front();
    let setting =
        |name| optional_var(name).map_err(|error| invalid(&format!("or {} is not valid UTF-8", error.0)));
    let Some(url) = setting("HITL_RUNNER_URL")? else { return Ok(Arc::new(front)) };
    let token = setting("HITL_RUNNER_TOKEN")?;
    let mut url =
        reqwest::Url::parse(&url).map_err(|_| invalid("is not a URL such as http://127.0.0.1:8080"))?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() {
        return Err(invalid("is not the address of an HTTP server, such as http://127.0.0.1:8080"));
    }
    if url.path() == "/" {
        url.set_path("/invocations");
    }
    let redirect = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().redirect(redirect).timeout(PATIENCE).build();
    let client = client.map_err(|_| invalid("cannot be called: no HTTP client can be created"))?;
    let runner = Arc::new(Runner { client, url, token });
    let wake = move |thread| {
        let runner = Arc::clone(&runner);
        async move { runner.wake(thread).await }
    };
    Ok(Arc::new(front.wake_with(wake)))
}

/// A runner that serves `POST /invocations`.
struct Runner {
    client: reqwest::Client,
    url: reqwest::Url,
    token: Option<String>,
}

impl Runner {
    /// Sends the action `continue`, which retries no failed node. A runner that is still running the thread after [`PATIENCE`] has been woken.
    async fn wake(&self, thread: ThreadId) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let action = serde_json::json!({ "action": "continue", "thread_id": thread });
        let mut request = self.client.post(self.url.clone());
        request = request.header("content-type", "application/json").body(action.to_string());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        match request.send().await {
            Err(error) if error.is_timeout() && !error.is_connect() => Ok(()),
            Err(error) => Err(error.without_url().into()),
            Ok(answered) if answered.status().is_success() => Ok(()),
            Ok(answered) => Err(format!("the runner answered with {}", answered.status()).into()),
        }
    }
}
