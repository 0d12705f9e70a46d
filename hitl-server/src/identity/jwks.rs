//! The keys of token issuers (RFC 7517), given as text or fetched from a URL.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use hitl_core::text::causes;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::api::ApiError;

/// The age in seconds at which keys are fetched again.
const REFRESH_AFTER: u64 = 10 * 60;

/// The age in seconds at which keys that could not be fetched again become invalid: an issuer revokes a key by removing
/// it from the set.
const EXPIRE_AFTER: u64 = 60 * 60;

/// The minimum time in seconds between a successful fetch and the next one, even if a token names an unknown key.
const RETRY_AFTER_SUCCESS: u64 = 60;

/// The minimum time in seconds between a failed fetch and the next one.
const RETRY_AFTER_FAILURE: u64 = 5;

/// The maximum size of a response in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// The timeout of a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// An invalid JSON Web Key Set, or an invalid URL of one.
///
/// ```
/// use hitl::agentcore::TokenVerifier;
///
/// let error = TokenVerifier::from_jwks("not JSON").err().ok_or("expected an error")?;
/// assert!(error.to_string().starts_with("invalid key set (RFC 7517): "));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[error("invalid key set (RFC 7517): {0}")]
pub struct InvalidKeys(String);

/// The source of the keys.
pub(super) enum Keys {
    Static(JwkSet),
    Remote(RemoteKeys),
}

impl Keys {
    pub(super) fn from_json(text: &str) -> Result<Self, InvalidKeys> {
        parse_set(text.as_bytes()).map(Self::Static).map_err(InvalidKeys)
    }

    /// Uses keys at a URL. It must be `https`, or `http` on this machine: every token is verified by these keys, so a
    /// party that can change them in transit can impersonate any subject.
    pub(super) fn from_url(url: &str) -> Result<Self, InvalidKeys> {
        let url: reqwest::Url =
            url.parse().map_err(|error| InvalidKeys(format!("`{url}` is not a URL: {error}")))?;
        if !is_private(&url) {
            let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
            return Err(InvalidKeys(format!(
                "`{scheme}://{host}` is neither https nor on this machine, so the keys could be replaced in transit: use https"
            )));
        }
        Ok(Self::Remote(RemoteKeys { url, cache: RwLock::default(), fetch_lock: Mutex::default() }))
    }

    /// Returns the verification key that a token names, or the only key if the token names none. `now` is in Unix
    /// seconds.
    pub(super) async fn key(&self, kid: Option<&str>, now: u64) -> Result<Option<Jwk>, ApiError> {
        match self {
            Self::Static(keys) => Ok(find(keys, kid)),
            Self::Remote(remote) => remote.key(kid, now).await,
        }
    }
}

/// Returns whether the connection to the server of a URL cannot be read or changed in transit: the URL is `https`, or
/// `http` on this machine.
pub(crate) fn is_private(url: &reqwest::Url) -> bool {
    let host = url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
    let is_local = host.is_some_and(|host| {
        host.eq_ignore_ascii_case("localhost")
            || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    });
    url.scheme() == "https" || url.scheme() == "http" && is_local
}

/// Keys at a URL, fetched when the first token arrives.
pub(super) struct RemoteKeys {
    url: reqwest::Url,
    cache: RwLock<Cache>,
    /// Held by the one task that fetches the keys, while the others wait for it.
    fetch_lock: Mutex<()>,
}

#[derive(Clone)]
struct Cache {
    keys: JwkSet,
    /// The times of the last successful fetch and of the last attempt, in Unix seconds.
    fetched_at: Option<u64>,
    attempted_at: Option<u64>,
}

impl Default for Cache {
    fn default() -> Self {
        Self { keys: JwkSet { keys: Vec::new() }, fetched_at: None, attempted_at: None }
    }
}

impl Cache {
    fn find(&self, kid: Option<&str>, now: u64, age: u64) -> Option<Jwk> {
        is_within(self.fetched_at, now, age).then(|| find(&self.keys, kid))?
    }

    fn has_failed(&self) -> bool {
        self.attempted_at != self.fetched_at
    }

    fn may_fetch(&self, now: u64) -> bool {
        !is_within(
            self.attempted_at,
            now,
            if self.has_failed() { RETRY_AFTER_FAILURE } else { RETRY_AFTER_SUCCESS },
        )
    }
}

impl RemoteKeys {
    async fn key(&self, kid: Option<&str>, now: u64) -> Result<Option<Jwk>, ApiError> {
        let fresh_key = || self.with_cache(|cached| cached.find(kid, now, REFRESH_AFTER));
        if let Some(key) = fresh_key() {
            return Ok(Some(key));
        }
        let _guard = self.fetch_lock.lock().await;
        // Another task may have fetched them while this one waited for the lock.
        if let Some(key) = fresh_key() {
            return Ok(Some(key));
        }
        if self.with_cache(|cached| cached.may_fetch(now)) {
            self.refresh(now).await;
        }
        match self.with_cache(|cached| (cached.find(kid, now, EXPIRE_AFTER), cached.has_failed())) {
            (None, true) => Err(ApiError::new(
                503,
                "keys_unavailable",
                "the keys that verify tokens cannot be fetched; retry later",
            )),
            (key, _) => Ok(key),
        }
    }

    async fn refresh(&self, now: u64) {
        let fetched = self.fetch().await;
        let mut cached = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        cached.attempted_at = Some(now);
        match fetched {
            Ok(keys) => (cached.keys, cached.fetched_at) = (keys, Some(now)),
            Err(problem) => tracing::warn!("the keys that verify tokens cannot be fetched: {problem}"),
        }
    }

    async fn fetch(&self) -> Result<JwkSet, String> {
        // Redirects are not followed: the target is not the host that the configured URL names.
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(FETCH_TIMEOUT);
        // A proxy could replace keys that come by http.
        let client = if self.url.scheme() == "http" { client.no_proxy() } else { client };
        let client =
            client.https_only(self.url.scheme() == "https").build().map_err(|error| causes(&error))?;
        let response = async { client.get(self.url.clone()).send().await?.error_for_status() };
        let mut response = response.await.map_err(|error| causes(&error))?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| causes(&error))? {
            if bytes.len() + chunk.len() > MAX_BYTES {
                return Err(format!("the response has more than {MAX_BYTES} bytes"));
            }
            bytes.extend_from_slice(&chunk);
        }
        parse_set(&bytes)
    }

    fn with_cache<T>(&self, read: impl FnOnce(&Cache) -> T) -> T {
        read(&self.cache.read().unwrap_or_else(PoisonError::into_inner))
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
fn parse_set(json: &[u8]) -> Result<JwkSet, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let Set { keys } = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let keys = keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
    Ok(JwkSet { keys: keys.filter(is_for_verification).collect() })
}

fn is_for_verification(key: &Jwk) -> bool {
    let is_for = key.common.public_key_use.as_ref();
    let does = key.common.key_operations.as_ref();
    is_for.is_none_or(|is_for| *is_for == PublicKeyUse::Signature)
        && does.is_none_or(|does| does.contains(&KeyOperations::Verify))
}
