//! The cache of data keys that were unwrapped for decryption.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::OnceCell;

use super::{
    DataKey, KeyError,
    bounds::{Bounds, Since},
};

/// An in-flight call for a key, with the result for all callers that wait for it.
type Call = OnceCell<Result<Arc<DataKey>, KeyError>>;

/// Data keys by their wrapped form. Concurrent callers for the same key share one call.
#[derive(Default)]
pub(super) struct Unwrapped(Mutex<Keys>);

#[derive(Default)]
struct Keys {
    remembered: HashMap<Vec<u8>, Remembered>,
    /// The in-flight calls, which are kept alive by the callers that wait for them.
    asked: HashMap<Vec<u8>, Weak<Call>>,
}

struct Remembered {
    since: Since,
    key: Arc<DataKey>,
}

impl Unwrapped {
    /// Returns the data key that is wrapped in these bytes. Runs `unwrap` if the key is not cached.
    pub async fn get(
        &self,
        bounds: &Bounds,
        wrapped: &[u8],
        unwrap: impl Future<Output = Result<DataKey, KeyError>>,
    ) -> Result<Arc<DataKey>, KeyError> {
        let call = {
            let mut keys = self.keys();
            match keys.remembered(bounds, wrapped) {
                Some(key) => return Ok(key),
                None => keys.call(bounds, wrapped),
            }
        };
        let asked = async || {
            let since = Since::now();
            let answer = unwrap.await.map(Arc::new);
            self.keys().end(bounds, wrapped, since, &answer);
            answer
        };
        call.get_or_init(asked).await.clone()
    }

    /// Locks the cache. No code below panics in the middle of a change, so a cache behind a poisoned lock is
    /// consistent.
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    fn remembered(&self, bounds: &Bounds, wrapped: &[u8]) -> Option<Arc<DataKey>> {
        let remembered = self.remembered.get(wrapped)?;
        (!remembered.since.is_over(bounds.age)).then(|| Arc::clone(&remembered.key))
    }

    /// Returns the in-flight call for the key, or a new one.
    fn call(&mut self, bounds: &Bounds, wrapped: &[u8]) -> Arc<Call> {
        if let Some(call) = self.asked.get(wrapped).and_then(Weak::upgrade) {
            return call;
        }
        self.remembered.retain(|_, remembered| !remembered.since.is_over(bounds.age));
        self.asked.retain(|_, call| call.strong_count() > 0);
        let call = Arc::default();
        self.asked.insert(wrapped.to_vec(), Arc::downgrade(&call));
        call
    }

    /// Removes a completed call, and caches its key. An error is not cached: later callers retry, and forged keys do
    /// not evict valid ones.
    fn end(
        &mut self,
        bounds: &Bounds,
        wrapped: &[u8],
        since: Since,
        answer: &Result<Arc<DataKey>, KeyError>,
    ) {
        self.asked.remove(wrapped);
        let Ok(key) = answer else { return };
        if self.remembered.len() >= bounds.remembered.max(1) {
            let oldest = self.remembered.iter().min_by_key(|(_, remembered)| remembered.since);
            let oldest = oldest.map(|(wrapped, _)| wrapped.clone());
            oldest.and_then(|oldest| self.remembered.remove(&oldest));
        }
        self.remembered.insert(wrapped.to_vec(), Remembered { since, key: Arc::clone(key) });
    }
}
