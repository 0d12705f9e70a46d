//! The data key that seals what is new.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::{
    KeyError, NewDataKey,
    bounds::{Bounds, Since},
    cipher::SealingKey,
    header,
};

/// One data key, until its bounds are reached. Those who come while a new one is fetched wait for that one.
#[derive(Default)]
pub(super) struct InUse(Mutex<Option<Current>>);

struct Current {
    key: Arc<SealingKey>,
    since: Since,
    messages: u64,
    bytes: u64,
}

impl InUse {
    /// A key for so many messages of so many bytes. `new` is asked where the one in use has no room for them.
    pub async fn take(
        &self,
        bounds: &Bounds,
        (messages, bytes): (u64, u64),
        context: &str,
        new: impl Future<Output = Result<NewDataKey, KeyError>>,
    ) -> Result<Arc<SealingKey>, KeyError> {
        let mut slot = self.0.lock().await;
        let kept = slot.take().filter(|current| !current.since.is_over(bounds.age)).filter(|current| {
            bounds.allow(current.messages.saturating_add(messages), current.bytes.saturating_add(bytes))
        });
        let mut current = match kept {
            Some(current) => current,
            None => Current::new(new.await?, context)?,
        };
        current.messages = current.messages.saturating_add(messages);
        current.bytes = current.bytes.saturating_add(bytes);
        Ok(Arc::clone(&slot.insert(current).key))
    }
}

impl Current {
    fn new(new: NewDataKey, context: &str) -> Result<Self, KeyError> {
        let NewDataKey { key, id, wrapped } = new;
        let prefix = header::prefix(&id, &wrapped, context).ok_or_else(|| KeyError::BadAnswer {
            problem: "the key's id, the wrapped data key or the context has more than 65,535 bytes".into(),
        })?;
        let key = Arc::new(SealingKey { key, prefix });
        Ok(Self { key, since: Since::now(), messages: 0, bytes: 0 })
    }
}
