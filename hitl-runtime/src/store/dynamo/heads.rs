//! The heads of threads: reads, a cache, and conditional updates.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    Shared,
    head::Head,
    item::Item,
    key::{Id, Key},
    table::Told,
    trouble,
    write::Write,
};
use crate::{StoreError, ThreadId};

/// The maximum number of cached heads. A process that reads or appends to a thread usually continues with it soon, and
/// the cache saves it a read.
const MOST: usize = 4_096;

/// Cached heads. They may be stale, so every write has its cached head as a condition.
#[derive(Debug, Default)]
pub(super) struct Heads(Mutex<HashMap<ThreadId, Head>>);

impl Heads {
    pub(super) fn get(&self, thread: &ThreadId) -> Option<Head> {
        self.lock().get(thread).cloned()
    }

    pub(super) fn remember(&self, thread: &ThreadId, head: Option<Head>) {
        let mut heads = self.lock();
        match head {
            Some(head) => {
                if heads.len() >= MOST {
                    heads.clear();
                }
                heads.insert(thread.clone(), head);
            }
            None => drop(heads.remove(thread)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ThreadId, Head>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of replacing a head.
pub(super) enum Moved {
    Yes,
    /// The head was not the expected one. This is the current one.
    No(Option<Head>),
    /// The head was the expected one, but the condition of another item failed.
    Refused,
}

impl Shared {
    /// Reads a head with strong consistency.
    pub(super) async fn head(&self, doing: &str, thread: &ThreadId) -> Result<Option<Head>, StoreError> {
        let item = self.table.get(doing, &Key::head(thread)).await?;
        self.read_head(thread, item.as_ref())
    }

    pub(super) fn read_head(
        &self,
        thread: &ThreadId,
        item: Option<&Item>,
    ) -> Result<Option<Head>, StoreError> {
        let head = item.map(Head::read).transpose();
        let head = head.map_err(|why| trouble::unreadable(&self.table.name, thread, why))?;
        self.heads.remember(thread, head.clone());
        Ok(head)
    }

    /// Replaces the head `from` (`None`: there is no head) by `to` (`None`: the head is deleted), together with the
    /// writes `along`. The change is atomic.
    pub(super) async fn move_head(
        &self,
        doing: &str,
        thread: &ThreadId,
        from: Option<&Head>,
        to: (Id, Option<&Head>),
        along: Vec<Write>,
    ) -> Result<Moved, StoreError> {
        let (token, to) = to;
        let fence = to.map_or_else(|| Write::delete(Key::head(thread)), |head| Write::put(head.item(thread)));
        let fence = fence.if_by(from.map(|head| head.by));
        let writes = std::iter::once(fence).chain(along).collect();
        // Until the outcome is known, the cached head is not valid.
        self.heads.remember(thread, None);
        match self.table.transact(doing, token, writes).await? {
            Told::Done => {
                self.heads.remember(thread, to.cloned());
                Ok(Moved::Yes)
            }
            Told::Refused => Ok(Moved::Refused),
            Told::Changed(item) => {
                let head = self.read_head(thread, item.as_ref())?;
                // A response was lost so long ago that DynamoDB has forgotten the token.
                let is_mine = head.as_ref().is_some_and(|head| head.by == token);
                Ok(if is_mine { Moved::Yes } else { Moved::No(head) })
            }
        }
    }

    pub(super) fn now_ms() -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn now_s() -> u64 {
        Self::now_ms() / 1_000
    }
}
