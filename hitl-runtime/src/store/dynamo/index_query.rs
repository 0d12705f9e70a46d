//! The lists: rows of many partitions merged into one order, page by page.

use std::collections::VecDeque;

use futures_util::{
    TryStreamExt as _,
    future::{try_join, try_join_all},
    stream::FuturesUnordered,
};

use super::{
    Shared, error,
    index::Block,
    item::Item,
    key::{self, List, SK},
    review_position::ReviewPosition,
    review_row,
    table::{Range, Table},
};
use crate::{
    StoreError, ThreadId, Timestamp,
    store::{OpenReview, Page, page_token, position_after},
};

const LIST_DUE: &str = "list the due threads";

/// A cursor over one partition, with the rows that were read but not returned yet.
struct PartitionCursor {
    range: Range,
    rows: VecDeque<(String, Item)>,
    ended: bool,
}

/// A merge of several partitions in the order of their keys.
pub(super) struct MergedRows<'a> {
    table: &'a Table,
    doing: &'static str,
    cursors: Vec<PartitionCursor>,
}

impl<'a> MergedRows<'a> {
    /// Merges the rows of these lists within a range of keys. About `wanted` rows will be read.
    pub(super) fn new(
        table: &'a Table,
        doing: &'static str,
        lists: &[List],
        (from, to): (Option<String>, Option<String>),
        wanted: usize,
    ) -> Self {
        let cursors = lists.iter().flat_map(|list| {
            let limit = Some(first_limit(*list, wanted));
            let (from, to) = (from.clone(), to.clone());
            list.partitions().map(move |pk| {
                let range = Range { from: from.clone(), to: to.clone(), limit, ..Range::new(pk) };
                PartitionCursor { range, rows: VecDeque::new(), ended: false }
            })
        });
        Self { table, doing, cursors: cursors.collect() }
    }

    pub(super) async fn next(&mut self) -> Result<Option<(String, Item)>, StoreError> {
        let (table, doing) = (self.table, self.doing);
        while self.cursors.iter().any(PartitionCursor::needs_fetch) {
            let empty = self.cursors.iter_mut().filter(|cursor| cursor.needs_fetch());
            empty
                .map(|cursor| cursor.fetch(table, doing))
                .collect::<FuturesUnordered<_>>()
                .try_collect::<()>()
                .await?;
        }
        let first = self.cursors.iter_mut().filter(|cursor| !cursor.rows.is_empty()).min_by(|a, b| {
            let sk = |cursor: &PartitionCursor| cursor.rows.front().map(|(sk, _)| sk.clone());
            sk(a).cmp(&sk(b))
        });
        Ok(first.and_then(|cursor| cursor.rows.pop_front()))
    }
}

impl PartitionCursor {
    fn needs_fetch(&self) -> bool {
        self.rows.is_empty() && !self.ended
    }

    async fn fetch(&mut self, table: &Table, doing: &str) -> Result<(), StoreError> {
        let (items, next) = table.query(doing, self.range.clone()).await?;
        self.rows.extend(items.into_iter().filter_map(|item| Some((item.get_text(SK)?.to_owned(), item))));
        self.ended = next.is_none();
        self.range.after = next;
        // A shard that is queried again has many rows in the result.
        self.range.limit = self.range.limit.map(|limit| limit.saturating_mul(2));
        Ok(())
    }
}

/// Returns the limit of the first query of each partition of a list: a little more than the average share of a
/// partition, so that it is seldom queried again.
fn first_limit(list: List, wanted: usize) -> usize {
    match list.shards() {
        1 => wanted,
        shards => {
            let share = wanted.div_ceil(usize::from(shards));
            share.saturating_add(share.isqrt() * 3 / 2 + 2)
        }
    }
}

/// Returns a page of items of which one more was collected than fits.
pub(super) fn page<T>(mut items: Vec<T>, limit: usize, token: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(token);
    Page::new(items, next)
}

impl Shared {
    pub(super) async fn reviews(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<OpenReview>, StoreError> {
        let after = position_after::<ReviewPosition>("reviews", after)?;
        let limit = limit.max(1);
        let whole = self.finish_index_updates().await?;
        let from = after.as_ref().map(|after| {
            let block = Block::new(after.opened, after.place);
            block.sk(&after.thread)
        });
        let wanted = limit.saturating_add(1);
        let lists: &[_] = if self.is_upgraded() { &[List::Reviews] } else { &[List::OldOpen, List::Reviews] };
        let mut rows = MergedRows::new(&self.table, "list the open reviews", lists, (from, None), wanted);
        let mut found = Vec::new();
        while found.len() < wanted
            && let Some((sk, row)) = rows.next().await?
        {
            let reviews = review_row::read(&row).ok_or_else(|| self.damaged_row(&sk))?;
            let is_new = |review: &OpenReview| after.as_ref().is_none_or(|after| after.is_before(review));
            found.extend(reviews.into_iter().filter(is_new));
        }
        let mut page = page(found, limit, |review| page_token("reviews", &ReviewPosition::of(review)));
        // If a thread cannot be updated, one of its reviews may be missing. The error is returned where the list would
        // end, so that all other reviews can be read before.
        if page.next.is_none()
            && let Err(missing) = whole
        {
            let last = page.items.last().ok_or(missing)?;
            page.next = Some(page_token("reviews", &ReviewPosition::of(last)));
        }
        Ok(page)
    }

    pub(super) async fn due(
        &self,
        by: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ThreadId>, StoreError> {
        let after = position_after::<(Timestamp, ThreadId)>("due", after)?;
        let limit = limit.max(1);
        if after.is_none() {
            self.clean_up_if_due().await;
        }
        let _ = self.finish_index_updates().await?;
        let from = after.as_ref().map(|(at, thread)| key::timed(*at, thread));
        // `0` sorts after the `/` that ends the time, so threads due at this very time are included.
        let to = format!("{:016x}0", by.as_millis());
        if from.as_ref().is_some_and(|from| *from > to) {
            return Ok(Page::new(Vec::new(), None));
        }
        let wanted = limit.saturating_add(1);
        let (mut found, running) =
            try_join(self.due_rows(from, to, wanted), self.due_as_running(by, after)).await?;
        found.extend(running);
        found.sort_unstable();
        found.truncate(wanted);
        let Page { items, next, .. } = page(found, limit, |(at, thread)| page_token("due", &(at, thread)));
        Ok(Page::new(items.into_iter().map(|(_, thread)| thread).collect(), next))
    }

    /// Returns the first `wanted` threads in the list of due times between two keys, of which the first is excluded.
    async fn due_rows(
        &self,
        from: Option<String>,
        to: String,
        wanted: usize,
    ) -> Result<Vec<(Timestamp, ThreadId)>, StoreError> {
        let range = (from.clone(), Some(to));
        let mut rows = MergedRows::new(&self.table, LIST_DUE, &[List::Due], range, wanted);
        let mut found = Vec::new();
        while found.len() < wanted
            && let Some((sk, _)) = rows.next().await?
        {
            if from.as_ref() != Some(&sk) {
                found.push(key::read_timed(&sk).ok_or_else(|| self.damaged_row(&sk))?);
            }
        }
        Ok(found)
    }

    /// Returns all threads after `after` in the list of running threads that are due. The list is short, and its rows
    /// keep their keys when the due times change, so that no reader misses one.
    async fn due_as_running(
        &self,
        by: Timestamp,
        after: Option<(Timestamp, ThreadId)>,
    ) -> Result<Vec<(Timestamp, ThreadId)>, StoreError> {
        let rows = List::Running.partitions().map(|pk| self.table.query_all(LIST_DUE, Range::new(pk)));
        let mut found = Vec::new();
        for row in try_join_all(rows).await?.into_iter().flatten() {
            if let Some(at) = row.get_number("due").map(Timestamp::from_millis).filter(|at| *at <= by) {
                found.push((at, self.thread_of(&row)?));
            }
        }
        found.retain(|due| after.as_ref().is_none_or(|after| due > after));
        Ok(found)
    }

    /// Returns the thread of a row whose key is the name of the thread.
    pub(super) fn thread_of(&self, row: &Item) -> Result<ThreadId, StoreError> {
        let sk = row.get_text(SK).unwrap_or_default();
        ThreadId::existing(sk).map_err(|_| self.damaged_row(sk))
    }

    pub(super) fn damaged_row(&self, sk: &str) -> StoreError {
        let problem = format!("the row `{sk}` of a list is damaged; restore the table to an earlier time");
        error::failure(&self.table.name, problem)
    }
}
