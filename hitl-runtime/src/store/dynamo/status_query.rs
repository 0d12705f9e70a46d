//! The lists of threads by status. A thread that is running or waiting has one row for both: it is running if it is also
//! in the list of running threads. That list is short, because most threads wait.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};

use super::{
    Shared,
    index::standing,
    index_query::{MergedRows, page},
    item::Item,
    key::List,
    table::Range,
};
use crate::{
    StoreError, ThreadId,
    store::{Page, ThreadStatus, page_token, position_after},
};

const DOING: &str = "list the threads";

/// The number of heads that are read concurrently.
const CONCURRENCY: usize = 16;

/// The maximum number of rows whose status is determined at once.
const ROWS_AT_ONCE: usize = 128;

/// The running threads.
enum RunningThreads {
    All(BTreeSet<ThreadId>),
    /// They are too many to read all of them for each page. The head of a thread shows its status.
    TooMany,
}

impl Shared {
    pub(super) async fn threads(
        &self,
        wanted: Option<ThreadStatus>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<(ThreadId, ThreadStatus)>, StoreError> {
        let after = position_after::<ThreadId>("threads", after)?;
        let limit = limit.max(1);
        let is_short =
            matches!(wanted, Some(ThreadStatus::Running | ThreadStatus::InDoubt | ThreadStatus::Failed));
        if !is_short || !self.is_upgraded() {
            // No thread is missing in spite of an error: updates of status and due time are never deferred. A short
            // list shows a thread whose deletion has crashed until another list is read, and costs less.
            let _ = self.finish_index_updates().await?;
        }
        let running = match wanted {
            Some(ThreadStatus::InDoubt | ThreadStatus::Failed | ThreadStatus::Ended) => {
                RunningThreads::All(BTreeSet::new())
            }
            _ => self.running().await?,
        };
        let found = match running {
            RunningThreads::All(running) if wanted == Some(ThreadStatus::Running) && self.is_upgraded() => {
                let later = running.into_iter().filter(|thread| after.as_ref().is_none_or(|at| thread > at));
                later.take(limit.saturating_add(1)).map(|thread| (thread, ThreadStatus::Running)).collect()
            }
            running => self.in_rows(wanted, after.as_ref(), limit.saturating_add(1), &running).await?,
        };
        Ok(page(found, limit, |(thread, _)| page_token("threads", thread)))
    }

    /// Returns the running threads, except those that were last written in the old layout.
    async fn running(&self) -> Result<RunningThreads, StoreError> {
        let pages = List::Running.partitions().map(|pk| self.table.query(DOING, Range::new(pk)));
        let mut running = BTreeSet::new();
        for (items, next) in try_join_all(pages).await? {
            if next.is_some() {
                return Ok(RunningThreads::TooMany);
            }
            for item in items.iter().filter(|item| item.get_number("idle").is_none()) {
                running.insert(self.thread_of(item)?);
            }
        }
        Ok(RunningThreads::All(running))
    }

    /// Returns the first `count` threads after one that have the status, from the rows in the order of their names.
    async fn in_rows(
        &self,
        wanted: Option<ThreadStatus>,
        after: Option<&ThreadId>,
        count: usize,
        running: &RunningThreads,
    ) -> Result<Vec<(ThreadId, ThreadStatus)>, StoreError> {
        let mut lists = match wanted {
            Some(ThreadStatus::Running | ThreadStatus::Waiting) => vec![List::Busy],
            Some(ThreadStatus::InDoubt | ThreadStatus::Failed) => vec![List::Stuck],
            Some(ThreadStatus::Ended) => vec![List::Ended],
            None => vec![List::Busy, List::Stuck, List::Ended],
        };
        if lists.contains(&List::Stuck) && !self.is_upgraded() {
            lists.push(List::OldStuck);
        }
        let from = after.map(|thread| thread.as_str().to_owned());
        let mut rows = MergedRows::new(&self.table, DOING, &lists, (from, None), count);
        let mut found = Vec::new();
        loop {
            let mut some = Vec::new();
            while some.len() < (count - found.len()).min(ROWS_AT_ONCE)
                && let Some((sk, row)) = rows.next().await?
            {
                let thread = ThreadId::existing(&sk).map_err(|_| self.damaged_row(&sk))?;
                if after != Some(&thread) {
                    some.push((thread, row));
                }
            }
            if some.is_empty() {
                return Ok(found);
            }
            let statuses: Vec<_> =
                some.iter().map(|(thread, row)| self.status(thread, row, running)).collect();
            let statuses: Vec<_> = stream::iter(statuses).buffered(CONCURRENCY).try_collect().await?;
            found.extend(some.into_iter().zip(statuses).filter_map(|((thread, _), status)| {
                let status = status.filter(|status| wanted.is_none_or(|wanted| wanted == *status))?;
                Some((thread, status))
            }));
            if found.len() >= count {
                return Ok(found);
            }
        }
    }

    /// Returns the status of the thread with this row; `None` if the thread no longer exists.
    async fn status(
        &self,
        thread: &ThreadId,
        row: &Item,
        running: &RunningThreads,
    ) -> Result<Option<ThreadStatus>, StoreError> {
        if row.get_number("expires").is_some_and(|expires| expires <= Self::now_s()) {
            return Ok(None);
        }
        if let Some(word) = row.get_text("standing") {
            return standing(word).map(Some).ok_or_else(|| self.damaged_row(thread.as_str()));
        }
        match running {
            RunningThreads::All(running) if running.contains(thread) => Ok(Some(ThreadStatus::Running)),
            RunningThreads::All(_) => Ok(Some(ThreadStatus::Waiting)),
            RunningThreads::TooMany => {
                Ok(self.head(DOING, thread).await?.and_then(|head| head.index.standing))
            }
        }
    }
}
