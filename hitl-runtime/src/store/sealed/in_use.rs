//! The data key that encrypts new values.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Mutex;

use super::{
    KeyError, NewDataKey,
    bounds::{Bounds, Since},
    cipher::SealingKey,
    header,
};

/// The current data key, until it reaches its bounds. Concurrent callers share one in-flight call for a new key. If it
/// fails, they also share its error, because one call after the other would fail too; later callers retry.
#[derive(Default)]
pub(super) struct InUse {
    failures: AtomicU64,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    current: Option<Current>,
    error: Option<KeyError>,
}

struct Current {
    key: Arc<SealingKey>,
    since: Since,
    messages: u64,
    bytes: u64,
}

impl InUse {
    /// Returns a data key for this number of messages, with this number of bytes in total. Runs `new` if the current
    /// key is too old or has no room for them.
    pub async fn take(
        &self,
        bounds: &Bounds,
        (messages, bytes): (u64, u64),
        context: &str,
        new: impl Future<Output = Result<NewDataKey, KeyError>>,
    ) -> Result<Arc<SealingKey>, KeyError> {
        let has_room = |current: &Current| {
            let (messages, bytes) = current.with(messages, bytes);
            !current.since.is_over(bounds.age) && bounds.allow(messages, bytes)
        };
        let before = self.failures.load(Ordering::Relaxed);
        let mut last = self.last.lock().await;
        let mut current = match (last.current.take().filter(has_room), &last.error) {
            (Some(current), _) => current,
            (None, Some(error)) if self.failures.load(Ordering::Relaxed) > before => {
                return Err(error.clone());
            }
            (None, _) => {
                let fetched = new.await.and_then(|new| Current::new(new, context));
                fetched.inspect_err(|error| {
                    self.failures.fetch_add(1, Ordering::Relaxed);
                    last.error = Some(error.clone());
                })?
            }
        };
        (current.messages, current.bytes) = current.with(messages, bytes);
        Ok(Arc::clone(&last.current.insert(current).key))
    }
}

impl Current {
    fn new(new: NewDataKey, context: &str) -> Result<Self, KeyError> {
        let NewDataKey { key, id, wrapped } = new;
        let prefix = header::prefix(&id, &wrapped, context).ok_or_else(|| KeyError::BadAnswer {
            problem: "the id of the key, the wrapped data key or the context exceeds 65,535 bytes".into(),
        })?;
        let key = Arc::new(SealingKey { key, prefix });
        Ok(Self { key, since: Since::now(), messages: 0, bytes: 0 })
    }

    /// Returns the key's totals with these messages and bytes added.
    fn with(&self, messages: u64, bytes: u64) -> (u64, u64) {
        (self.messages.saturating_add(messages), self.bytes.saturating_add(bytes))
    }
}
