//! The heads of threads: reads, a cache, and conditional updates.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::{
    Shared, error,
    head::HeadItem,
    item::Item,
    key::{Id, Key},
    table::{ReplaceOutcome, TransactOutcome},
    write::Write,
};
use crate::{StoreError, ThreadId, Timestamp};

/// The maximum number of cached heads. A process that reads or appends to a thread usually continues with it soon, and
/// the cache saves it a read.
const MAX_CACHED: usize = 4_096;

/// Cached heads. They may be stale, so every write has its cached head as a condition.
#[derive(Debug, Default)]
pub(super) struct HeadCache(Mutex<HashMap<ThreadId, HeadItem>>);

impl HeadCache {
    pub(super) fn get(&self, thread: &ThreadId) -> Option<HeadItem> {
        self.lock().get(thread).cloned()
    }

    pub(super) fn set(&self, thread: &ThreadId, head: Option<HeadItem>) {
        let mut heads = self.lock();
        match head {
            Some(head) => {
                if heads.len() >= MAX_CACHED {
                    heads.clear();
                }
                heads.insert(thread.clone(), head);
            }
            None => drop(heads.remove(thread)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ThreadId, HeadItem>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of replacing a head.
pub(super) enum HeadUpdate {
    Done,
    /// The head was not the expected one. This is the current one.
    Conflict(Option<HeadItem>),
    /// The head was the expected one, but the condition of another item failed.
    ConditionFailed,
}

impl Shared {
    /// Reads a head with strong consistency.
    pub(super) async fn head(&self, doing: &str, thread: &ThreadId) -> Result<Option<HeadItem>, StoreError> {
        let item = self.table.get(doing, &Key::head(thread)).await?;
        self.read_head(thread, item.as_ref())
    }

    pub(super) fn read_head(
        &self,
        thread: &ThreadId,
        item: Option<&Item>,
    ) -> Result<Option<HeadItem>, StoreError> {
        let head = item.map(HeadItem::from_item).transpose();
        let head = head.map_err(|error| error::unreadable(&self.table.name, thread, error))?;
        self.heads.set(thread, head.clone());
        Ok(head)
    }

    /// Replaces the head `from` (`None`: there is no head) by `to` (`None`: the head is deleted), together with the
    /// writes `along`. The change is atomic.
    pub(super) async fn update_head(
        &self,
        doing: &str,
        thread: &ThreadId,
        from: Option<&HeadItem>,
        to: (Id, Option<&HeadItem>),
        along: Vec<Write>,
    ) -> Result<HeadUpdate, StoreError> {
        let (token, to) = to;
        let head_write =
            to.map_or_else(|| Write::delete(Key::head(thread)), |head| Write::put(head.item(thread)));
        let head_write = head_write.if_written_by(from.map(|head| head.by));
        let writes = std::iter::once(head_write).chain(along).collect();
        // Until the outcome is known, the cached head is not valid.
        self.heads.set(thread, None);
        match self.table.transact(doing, token, writes).await? {
            TransactOutcome::Committed => {
                self.heads.set(thread, to.cloned());
                Ok(HeadUpdate::Done)
            }
            TransactOutcome::ConditionFailed => Ok(HeadUpdate::ConditionFailed),
            TransactOutcome::HeadChanged(item) => {
                let head = self.read_head(thread, item.as_ref())?;
                // A response was lost so long ago that DynamoDB has forgotten the token.
                let is_own = head.as_ref().is_some_and(|head| head.by == token);
                Ok(if is_own { HeadUpdate::Done } else { HeadUpdate::Conflict(head) })
            }
        }
    }

    /// Replaces the head `from` by `to`, which follows it by some entries, and writes nothing else.
    pub(super) async fn replace_head(
        &self,
        doing: &str,
        thread: &ThreadId,
        from: &HeadItem,
        to: &HeadItem,
    ) -> Result<HeadUpdate, StoreError> {
        // Until the outcome is known, the cached head is not valid.
        self.heads.set(thread, None);
        let outcome = self.table.replace(doing, to.item(thread), from.by).await?;
        if let ReplaceOutcome::Written = outcome {
            self.heads.set(thread, Some(to.clone()));
            return Ok(HeadUpdate::Done);
        }
        let now = self.head(doing, thread).await?;
        match (outcome, &now) {
            (ReplaceOutcome::WrittenOrConflict, Some(head)) if head.ids().any(|id| id == to.by) => {
                Ok(HeadUpdate::Done)
            }
            // Of the writes since `from`, only the last ones are known. The journal shows if it has another entry there.
            (ReplaceOutcome::WrittenOrConflict, Some(head))
                if head.incarnation == from.incarnation && head.ids().all(|id| id != from.by) =>
            {
                let there = self.entries(thread, to.next.saturating_sub(1), 1).await?;
                if there.first().is_none_or(|entry| entry.hash != to.hash) {
                    return Ok(HeadUpdate::Conflict(now));
                }
                let problem = format!(
                    "could not {doing}: the response was lost, and others have written to thread `{thread}` since; \
                     read the thread to find out if this was written"
                );
                Err(error::failure(&self.table.name, problem))
            }
            _ => Ok(HeadUpdate::Conflict(now)),
        }
    }

    pub(super) fn now() -> Timestamp {
        SystemTime::now().into()
    }

    pub(super) fn now_s() -> u64 {
        Self::now().as_millis() / 1_000
    }
}
