//! The cache of data keys that were unwrapped for decryption.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::OnceCell;

use super::{
    DataKey, KeyError,
    bounds::{Bounds, DualInstant},
};

/// An in-flight call for a key, with the result for all callers that wait for it.
type Call = OnceCell<Result<Arc<DataKey>, KeyError>>;

/// Data keys by their wrapped form. Concurrent callers for the same key share one call.
#[derive(Default)]
pub(super) struct KeyCache(Mutex<Keys>);

#[derive(Default)]
struct Keys {
    cached: HashMap<Vec<u8>, CachedKey>,
    /// The in-flight calls, which are kept alive by the callers that wait for them.
    in_flight: HashMap<Vec<u8>, Weak<Call>>,
}

struct CachedKey {
    since: DualInstant,
    key: Arc<DataKey>,
}

impl KeyCache {
    /// Returns the data key that is wrapped in these bytes. Runs `unwrap` if the key is not cached.
    pub async fn get(
        &self,
        bounds: &Bounds,
        wrapped: &[u8],
        unwrap: impl Future<Output = Result<DataKey, KeyError>>,
    ) -> Result<Arc<DataKey>, KeyError> {
        let call = {
            let mut keys = self.keys();
            match keys.cached(bounds, wrapped) {
                Some(key) => return Ok(key),
                None => keys.call(bounds, wrapped),
            }
        };
        let unwrap_and_cache = async || {
            let since = DualInstant::now();
            let answer = unwrap.await.map(Arc::new);
            self.keys().finish(bounds, wrapped, since, &answer);
            answer
        };
        call.get_or_init(unwrap_and_cache).await.clone()
    }

    /// Locks the cache. No code below panics in the middle of a change, so a cache behind a poisoned lock is
    /// consistent.
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    fn cached(&self, bounds: &Bounds, wrapped: &[u8]) -> Option<Arc<DataKey>> {
        let cached = self.cached.get(wrapped)?;
        (!cached.since.has_elapsed(bounds.age)).then(|| Arc::clone(&cached.key))
    }

    /// Returns the in-flight call for the key, or a new one.
    fn call(&mut self, bounds: &Bounds, wrapped: &[u8]) -> Arc<Call> {
        if let Some(call) = self.in_flight.get(wrapped).and_then(Weak::upgrade) {
            return call;
        }
        self.cached.retain(|_, cached| !cached.since.has_elapsed(bounds.age));
        self.in_flight.retain(|_, call| call.strong_count() > 0);
        let call = Arc::default();
        self.in_flight.insert(wrapped.to_vec(), Arc::downgrade(&call));
        call
    }

    /// Removes a completed call, and caches its key. An error is not cached: later callers retry, and forged keys do
    /// not evict valid ones.
    fn finish(
        &mut self,
        bounds: &Bounds,
        wrapped: &[u8],
        since: DualInstant,
        answer: &Result<Arc<DataKey>, KeyError>,
    ) {
        self.in_flight.remove(wrapped);
        let Ok(key) = answer else { return };
        if self.cached.len() >= bounds.cached_keys.max(1) {
            let oldest = self.cached.iter().min_by_key(|(_, cached)| cached.since);
            let oldest = oldest.map(|(wrapped, _)| wrapped.clone());
            oldest.and_then(|oldest| self.cached.remove(&oldest));
        }
        self.cached.insert(wrapped.to_vec(), CachedKey { since, key: Arc::clone(key) });
    }
}
