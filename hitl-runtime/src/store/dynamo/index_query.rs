//! The lists: rows of many partitions merged into one order, page by page.

use std::collections::VecDeque;

use futures_util::{TryStreamExt as _, stream::FuturesUnordered};

use super::{
    Shared, error,
    index::Block,
    item::Item,
    key::{self, List, SK},
    page_token, review_row,
    table::{Range, Table},
};
use crate::{
    StoreError, ThreadId,
    store::{OpenReview, Page},
};

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

    /// Reads the first rows of the first `count` partitions before those of the others.
    async fn read_first(&mut self, count: usize) -> Result<(), StoreError> {
        let (table, doing) = (self.table, self.doing);
        let first = self.cursors.iter_mut().take(count).map(|cursor| cursor.fetch(table, doing));
        first.collect::<FuturesUnordered<_>>().try_collect::<()>().await
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
    match (list, list.shards()) {
        // A row may move out of this list while it is read, so all rows of the page must be in the first query.
        (List::OldOpen, _) => wanted.saturating_add(1),
        (_, 1) => wanted,
        (_, shards) => {
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
    Page { items, next }
}

impl Shared {
    pub(super) async fn reviews(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<OpenReview>, StoreError> {
        let after = after.map(page_token::read_review).transpose()?;
        let limit = limit.max(1);
        let whole = self.finish_index_updates().await?;
        let from = after.as_ref().map(|after| {
            let block = Block::new(after.opened_ms, after.place);
            block.sk(&after.thread)
        });
        let wanted = limit.saturating_add(1);
        let lists: &[_] = if self.is_upgraded() { &[List::Reviews] } else { &[List::OldOpen, List::Reviews] };
        let mut rows = MergedRows::new(&self.table, "list the open reviews", lists, (from, None), wanted);
        if !self.is_upgraded() {
            // A row moves from the old list to the new one, so it is in the first or in the second.
            rows.read_first(usize::from(List::OldOpen.shards())).await?;
        }
        let (mut found, mut last) = (Vec::new(), String::new());
        while found.len() < wanted
            && let Some((sk, row)) = rows.next().await?
        {
            if sk == last {
                continue;
            }
            last.clone_from(&sk);
            let reviews = review_row::read(&row).ok_or_else(|| self.damaged_row(&sk))?;
            let is_new = |review: &OpenReview| after.as_ref().is_none_or(|after| after.is_before(review));
            found.extend(reviews.into_iter().filter(is_new));
        }
        let mut page = page(found, limit, page_token::after_review);
        // If a thread cannot be updated, one of its reviews may be missing. The error is returned where the list would
        // end, so that all other reviews can be read before.
        if page.next.is_none()
            && let Err(missing) = whole
        {
            let last = page.items.last().ok_or(missing)?;
            page.next = Some(page_token::after_review(last));
        }
        Ok(page)
    }

    pub(super) async fn due(
        &self,
        by_ms: u64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ThreadId>, StoreError> {
        let after = after.map(page_token::read_due).transpose()?;
        let limit = limit.max(1);
        if after.is_none() {
            self.clean_up_if_due().await;
        }
        let _ = self.finish_index_updates().await?;
        let from = after.as_ref().map(|(at, thread)| key::timed(*at, thread));
        // `0` sorts after the `/` that ends the time, so threads due at this very time are included.
        let to = format!("{by_ms:016x}0");
        if from.as_ref().is_some_and(|from| *from > to) {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let wanted = limit.saturating_add(1);
        let mut rows = MergedRows::new(
            &self.table,
            "list the due threads",
            &[List::Running, List::Due],
            (from.clone(), Some(to)),
            wanted,
        );
        let mut found = Vec::new();
        while found.len() < wanted
            && let Some((sk, _)) = rows.next().await?
        {
            if from.as_ref() != Some(&sk) {
                found.push(key::read_timed(&sk).ok_or_else(|| self.damaged_row(&sk))?);
            }
        }
        let Page { items, next } = page(found, limit, |(at, thread)| page_token::after_due(*at, thread));
        Ok(Page { items: items.into_iter().map(|(_, thread)| thread).collect(), next })
    }

    pub(super) fn damaged_row(&self, sk: &str) -> StoreError {
        let problem = format!("the row `{sk}` of a list is damaged; restore the table to an earlier time");
        error::failure(&self.table.name, problem)
    }
}
