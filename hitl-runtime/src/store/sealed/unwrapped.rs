//! The data keys that were unwrapped to read what is there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

use super::{
    DataKey, KeyError,
    bounds::{Bounds, Since},
};

/// By how they are wrapped. Those who want the same one at once make one call.
#[derive(Default)]
pub(super) struct Unwrapped(Mutex<HashMap<Vec<u8>, Slot>>);

struct Slot {
    since: Since,
    key: Arc<OnceCell<Arc<DataKey>>>,
}

impl Unwrapped {
    /// The key that is wrapped like this; `unwrap` is asked where it is not remembered.
    pub async fn get(
        &self,
        bounds: &Bounds,
        wrapped: &[u8],
        unwrap: impl Future<Output = Result<DataKey, KeyError>>,
    ) -> Result<Arc<DataKey>, KeyError> {
        let slot = self.slot(bounds, wrapped);
        let key = slot.get_or_try_init(|| async { unwrap.await.map(Arc::new) }).await;
        if key.is_err() {
            // What was made up must not push out what is of use.
            self.slots().remove(wrapped);
        }
        key.cloned()
    }

    fn slot(&self, bounds: &Bounds, wrapped: &[u8]) -> Arc<OnceCell<Arc<DataKey>>> {
        let mut slots = self.slots();
        if let Some(slot) = slots.get(wrapped).filter(|slot| !slot.since.is_over(bounds.age)) {
            return Arc::clone(&slot.key);
        }
        slots.retain(|_, slot| !slot.since.is_over(bounds.age));
        if slots.len() >= bounds.remembered.max(1) {
            let oldest = slots.iter().min_by_key(|(_, slot)| slot.since).map(|(wrapped, _)| wrapped.clone());
            oldest.and_then(|oldest| slots.remove(&oldest));
        }
        let key = Arc::default();
        slots.insert(wrapped.to_vec(), Slot { since: Since::now(), key: Arc::clone(&key) });
        key
    }

    /// Nothing below panics half-way through a change.
    fn slots(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
