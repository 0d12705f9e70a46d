//! The keys of token issuers (RFC 7517), given as text or fetched from a URL.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use jsonwebtoken::jwk::{Jwk, JwkSet, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{prose::causes, serve::wire::Refusal};

/// The age in seconds at which keys are fetched again.
const FRESH: u64 = 10 * 60;

/// The age in seconds at which keys that could not be fetched again become invalid: an issuer revokes a key by removing
/// it from the set.
const TRUSTED: u64 = 60 * 60;

/// The minimum time in seconds between a successful fetch and the next one, even if a token names an unknown key.
const ANSWERED: u64 = 60;

/// The minimum time in seconds between a failed fetch and the next one.
const FAILED: u64 = 5;

/// The maximum size of a response in bytes.
const LARGEST: usize = 256 * 1024;

/// The timeout of a fetch.
const PATIENCE: Duration = Duration::from_secs(10);

/// An invalid JSON Web Key Set, or an invalid URL of one.
///
/// ```
/// use hitl::agentcore::Tokens;
///
/// let error = Tokens::from_jwks("not JSON").err().ok_or("it is none")?;
/// assert!(error.to_string().starts_with("these are no keys (RFC 7517): "));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[error("these are no keys (RFC 7517): {0}")]
pub struct InvalidKeys(String);

/// The source of the keys.
pub(super) enum Keys {
    AtHand(JwkSet),
    At(Remote),
}

impl Keys {
    pub(super) fn read(text: &str) -> Result<Self, InvalidKeys> {
        set(text.as_bytes()).map(Self::AtHand).map_err(InvalidKeys)
    }

    /// Uses keys at a URL. It must be `https`, or `http` on this machine: every token is verified by these keys, so a
    /// party that can change them in transit can impersonate any subject.
    pub(super) fn at(url: &str) -> Result<Self, InvalidKeys> {
        let url: reqwest::Url =
            url.parse().map_err(|error| InvalidKeys(format!("`{url}` is no URL: {error}")))?;
        let local = match url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']')) {
            Some(host) => {
                host.eq_ignore_ascii_case("localhost")
                    || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
            }
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && local) {
            let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
            return Err(InvalidKeys(format!(
                "`{scheme}://{host}` can be read and changed on its way: take one with https, or one on this machine"
            )));
        }
        Ok(Self::At(Remote { url, held: RwLock::default(), asking: Mutex::default() }))
    }

    /// Returns the verification key that a token names, or the only key if the token names none. `now` is in Unix
    /// seconds.
    pub(super) async fn key(&self, kid: Option<&str>, now: u64) -> Result<Option<Jwk>, Refusal> {
        match self {
            Self::AtHand(keys) => Ok(find(keys, kid)),
            Self::At(remote) => remote.key(kid, now).await,
        }
    }
}

/// Keys at a URL, fetched when the first token arrives.
pub(super) struct Remote {
    url: reqwest::Url,
    held: RwLock<Held>,
    /// Held by the one task that fetches the keys, while the others wait for it.
    asking: Mutex<()>,
}

#[derive(Clone)]
struct Held {
    keys: JwkSet,
    /// The times of the last successful fetch and of the last attempt, in Unix seconds.
    since: Option<u64>,
    tried: Option<u64>,
}

impl Default for Held {
    fn default() -> Self {
        Self { keys: JwkSet { keys: Vec::new() }, since: None, tried: None }
    }
}

impl Held {
    fn find(&self, kid: Option<&str>, now: u64, age: u64) -> Option<Jwk> {
        is_within(self.since, now, age).then(|| find(&self.keys, kid))?
    }

    fn has_failed(&self) -> bool {
        self.tried != self.since
    }

    fn may_ask(&self, now: u64) -> bool {
        !is_within(self.tried, now, if self.has_failed() { FAILED } else { ANSWERED })
    }
}

impl Remote {
    async fn key(&self, kid: Option<&str>, now: u64) -> Result<Option<Jwk>, Refusal> {
        let fresh = || self.held(|held| held.find(kid, now, FRESH));
        if let Some(key) = fresh() {
            return Ok(Some(key));
        }
        let _asking = self.asking.lock().await;
        // Another task may have fetched them while this one waited for the lock.
        if let Some(key) = fresh() {
            return Ok(Some(key));
        }
        if self.held(|held| held.may_ask(now)) {
            self.ask(now).await;
        }
        match self.held(|held| (held.find(kid, now, TRUSTED), held.has_failed())) {
            (None, true) => Err(Refusal::new(
                503,
                "keys_unavailable",
                "the keys that tokens are verified by cannot be had; try again",
            )),
            (key, _) => Ok(key),
        }
    }

    async fn ask(&self, now: u64) {
        let fetched = self.fetch().await;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.tried = Some(now);
        match fetched {
            Ok(keys) => (held.keys, held.since) = (keys, Some(now)),
            Err(problem) => tracing::warn!("the keys that tokens are verified by cannot be had: {problem}"),
        }
    }

    async fn fetch(&self) -> Result<JwkSet, String> {
        // Redirects are not followed: the target is not the host that the configured URL names.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
        let client =
            client.https_only(self.url.scheme() == "https").build().map_err(|error| causes(&error))?;
        let answer = async { client.get(self.url.clone()).send().await?.error_for_status() };
        let mut answer = answer.await.map_err(|error| causes(&error))?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| causes(&error))? {
            if bytes.len() + chunk.len() > LARGEST {
                return Err(format!("the answer has more than {LARGEST} bytes"));
            }
            bytes.extend_from_slice(&chunk);
        }
        set(&bytes)
    }

    fn held<T>(&self, see: impl FnOnce(&Held) -> T) -> T {
        see(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns whether a moment is less than `age` seconds ago; `false` if the clock was set back to before it.
fn is_within(moment: Option<u64>, now: u64, age: u64) -> bool {
    moment.and_then(|moment| now.checked_sub(moment)).is_some_and(|ago| ago < age)
}

fn find(keys: &JwkSet, kid: Option<&str>) -> Option<Jwk> {
    match (kid, keys.keys.as_slice()) {
        (Some(kid), _) => keys.find(kid).cloned(),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
    }
}

/// Parses a set and keeps the keys of a known type that are meant for verifying signatures; others are permitted in a
/// set and ignored (RFC 7517, sections 4.2, 4.3 and 5).
fn set(json: &[u8]) -> Result<JwkSet, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let Set { keys } = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let keys = keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
    Ok(JwkSet { keys: keys.filter(verifies).collect() })
}

fn verifies(key: &Jwk) -> bool {
    let is_for = key.common.public_key_use.as_ref();
    let does = key.common.key_operations.as_ref();
    is_for.is_none_or(|is_for| *is_for == PublicKeyUse::Signature)
        && does.is_none_or(|does| does.contains(&KeyOperations::Verify))
}
