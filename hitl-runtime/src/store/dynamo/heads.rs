//! The heads of threads: read, remembered, moved.

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

/// How many heads are remembered. Whoever reads or appends to a thread goes on with it soon, and is spared a read.
const MOST: usize = 4_096;

/// Heads as they were last seen. They may have changed since: every write has them as its condition.
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

/// How a head's move ended.
pub(super) enum Moved {
    Yes,
    /// It was not where it was expected. It is here.
    No(Option<Head>),
    /// It could have been, but what the move needs is gone.
    Refused,
}

impl Shared {
    /// The head as the last acknowledged write left it.
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

    /// Moves a head from what it is held to be (`None`: there is none) to what it is to be (`None`: deleted), and
    /// writes what goes along with that; all of it or nothing.
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
        // Until it is known how this ends, nothing is.
        self.heads.remember(thread, None);
        match self.table.transact(doing, token, writes).await? {
            Told::Done => {
                self.heads.remember(thread, to.cloned());
                Ok(Moved::Yes)
            }
            Told::Refused => Ok(Moved::Refused),
            Told::Changed(item) => {
                let head = self.read_head(thread, item.as_ref())?;
                // An answer was lost, so long ago that DynamoDB has forgotten the token.
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
