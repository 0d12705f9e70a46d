//! The call by which a front in a process of its own wakes a runner.

use std::{error::Error as StdError, path::PathBuf, sync::Arc, time::Duration};

use hitl_core::env::optional_var;
use hitl_runtime::{Error, ThreadId, plumbing::Engine};

use crate::identity::is_private;

/// The time to wait for a runner's answer. It answers when the thread rests, and goes on if the caller does not wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// The maximum size in bytes of an answer that is searched for an error. An error is smaller; a thread may be larger.
const MAX_ERROR: usize = 64 * 1024;

/// Converts an engine to that of a front, which wakes the runner at `HITL_RUNNER_URL`, if that is set. Without it, the
/// next sweep of a runner finds the threads.
///
/// # Errors
/// [`Error::NotSetUp`] if the setting is not the address of a server.
pub fn front_from_env(engine: &Engine) -> Result<Arc<Engine>, Error> {
    let invalid = |problem: &str| Error::NotSetUp { problem: format!("HITL_RUNNER_URL {problem}") };
    let front = engine.clone().into_front();
    let setting =
        |name| optional_var(name).map_err(|error| invalid(&format!("or {} is not valid UTF-8", error.0)));
    let Some(url) = setting("HITL_RUNNER_URL")? else { return Ok(Arc::new(front)) };
    let token = match (setting("HITL_RUNNER_TOKEN")?, setting("HITL_RUNNER_TOKEN_FILE")?) {
        (Some(_), Some(_)) => {
            return Err(invalid("has two tokens: unset HITL_RUNNER_TOKEN or HITL_RUNNER_TOKEN_FILE"));
        }
        (Some(token), None) => Some(Token::Fixed(token)),
        (None, file) => file.map(|path| Token::File(path.into())),
    };
    let mut url =
        reqwest::Url::parse(&url).map_err(|_| invalid("is not a URL such as http://127.0.0.1:8080"))?;
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() {
        return Err(invalid("is not the address of an HTTP server, such as http://127.0.0.1:8080"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("has a name or a password: set HITL_RUNNER_TOKEN instead"));
    }
    if token.is_some() && !is_private(&url) {
        return Err(invalid(
            "is neither https nor on this machine, so the token could be read in transit: use https",
        ));
    }
    if url.path() == "/" {
        url.set_path("/invocations");
    }
    let redirect = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().redirect(redirect).timeout(PATIENCE);
    // A proxy would read what is sent by http.
    let client = if url.scheme() == "http" { client.no_proxy() } else { client };
    let client = client.build();
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
    token: Option<Token>,
}

/// The token of a front.
enum Token {
    Fixed(String),
    /// One that is read again for each call, because another program replaces it before it expires.
    File(PathBuf),
}

impl Token {
    fn read(&self) -> Result<String, Box<dyn StdError + Send + Sync>> {
        match self {
            Self::Fixed(token) => Ok(token.clone()),
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(token) => Ok(token.trim().to_owned()),
                Err(error) => Err(format!("HITL_RUNNER_TOKEN_FILE cannot be read: {}", error.kind()).into()),
            },
        }
    }
}

impl Runner {
    /// Wakes the runner, and logs why it could not be woken.
    async fn wake(&self, thread: ThreadId) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let woken = self.call(thread).await;
        if let Err(error) = &woken {
            tracing::warn!(%error, "the runner at HITL_RUNNER_URL was not woken");
        }
        woken
    }

    /// Sends the action `continue`, which retries no failed node. A runner that is still running the thread after
    /// [`PATIENCE`] has been woken.
    async fn call(&self, thread: ThreadId) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let action = serde_json::json!({ "action": "continue", "thread_id": thread });
        let mut request = self.client.post(self.url.clone());
        request = request.header("content-type", "application/json").body(action.to_string());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.read()?);
        }
        match request.send().await {
            Err(error) if error.is_timeout() && !error.is_connect() => Ok(()),
            Err(error) => Err(error.without_url().into()),
            Ok(mut answered) => {
                let status = answered.status();
                let code = code_of(&mut answered).await;
                match (status.is_success(), code) {
                    (true, None) => Ok(()),
                    (_, Some(code)) => Err(format!("it answered with {status}, code {code}").into()),
                    (false, None) => Err(format!("it answered with {status}").into()),
                }
            }
        }
    }
}

/// Returns the code of an error, which a runner behind AgentCore reports with the status 200; `None` if the answer is
/// none.
async fn code_of(answered: &mut reqwest::Response) -> Option<String> {
    let mut body = Vec::new();
    while let Ok(Some(part)) = answered.chunk().await {
        body.extend_from_slice(&part);
        if body.len() > MAX_ERROR {
            return None;
        }
    }
    let answer: serde_json::Value = serde_json::from_slice(&body).ok()?;
    let code = answer.get("code")?.as_str()?;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    Some(code.chars().filter(|c| is_plain(*c)).take(64).collect())
}
