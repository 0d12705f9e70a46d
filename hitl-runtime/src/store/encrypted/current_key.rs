//! The data key that encrypts new values.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Mutex;

use super::{
    KeyError, NewDataKey,
    bounds::{Bounds, DualInstant},
    cipher::EncryptionKey,
    header,
};

/// The current data key, until it reaches its bounds. Concurrent callers share one in-flight call for a new key. If it
/// fails, they also share its error, because one call after the other would fail too; later callers retry.
#[derive(Default)]
pub(super) struct CurrentKey {
    failures: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<KeyUsage>,
    error: Option<KeyError>,
}

struct KeyUsage {
    key: Arc<EncryptionKey>,
    since: DualInstant,
    messages: u64,
    bytes: u64,
}

impl CurrentKey {
    /// Returns a data key for this number of messages, with this number of bytes in total. Runs `new` if the current
    /// key is too old or has no room for them.
    pub async fn take(
        &self,
        bounds: &Bounds,
        (messages, bytes): (u64, u64),
        context: &str,
        new: impl Future<Output = Result<NewDataKey, KeyError>>,
    ) -> Result<Arc<EncryptionKey>, KeyError> {
        let has_room = |current: &KeyUsage| {
            let (messages, bytes) = current.with(messages, bytes);
            !current.since.has_elapsed(bounds.age) && bounds.allow(messages, bytes)
        };
        let before = self.failures.load(Ordering::Relaxed);
        let mut state = self.state.lock().await;
        let mut current = match (state.current.take().filter(has_room), &state.error) {
            (Some(current), _) => current,
            (None, Some(error)) if self.failures.load(Ordering::Relaxed) > before => {
                return Err(error.clone());
            }
            (None, _) => {
                let generated = new.await.and_then(|new| KeyUsage::new(new, context));
                generated.inspect_err(|error| {
                    self.failures.fetch_add(1, Ordering::Relaxed);
                    state.error = Some(error.clone());
                })?
            }
        };
        (current.messages, current.bytes) = current.with(messages, bytes);
        Ok(Arc::clone(&state.current.insert(current).key))
    }
}

impl KeyUsage {
    fn new(new: NewDataKey, context: &str) -> Result<Self, KeyError> {
        let NewDataKey { key, id, wrapped } = new;
        let prefix = header::prefix(&id, &wrapped, context).ok_or_else(|| KeyError::InvalidResponse {
            problem: "the id of the key, the wrapped data key or the context exceeds 65,535 bytes".into(),
        })?;
        let key = Arc::new(EncryptionKey { key, prefix });
        Ok(Self { key, since: DualInstant::now(), messages: 0, bytes: 0 })
    }

    /// Returns the key's totals with these messages and bytes added.
    fn with(&self, messages: u64, bytes: u64) -> (u64, u64) {
        (self.messages.saturating_add(messages), self.bytes.saturating_add(bytes))
    }
}
