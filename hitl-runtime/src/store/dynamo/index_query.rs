//! The lists: rows of many partitions merged into one order, page by page.

use std::collections::VecDeque;

use futures_util::{TryStreamExt as _, stream::FuturesUnordered};

use super::{
    Shared, error,
    index::{self, Block},
    item::Item,
    key::{self, List, SHARDS, SK},
    page_token,
    table::{Range, Table},
};
use crate::{
    StoreError, ThreadId,
    store::{OpenReview, Page, ThreadStatus},
};

/// A cursor over one partition, with the rows that were read but not returned yet.
struct PartitionCursor {
    range: Range,
    rows: VecDeque<(String, Item)>,
    ended: bool,
}

/// A merge of several partitions in the order of their keys.
struct MergedRows<'a> {
    table: &'a Table,
    doing: &'static str,
    cursors: Vec<PartitionCursor>,
}

impl<'a> MergedRows<'a> {
    /// Merges the rows of these lists within a range of keys. About `wanted` rows will be read.
    fn new(
        table: &'a Table,
        doing: &'static str,
        lists: &[List],
        (from, to): (Option<String>, Option<String>),
        wanted: usize,
    ) -> Self {
        let shards = usize::from(SHARDS);
        // Twice the average share of a shard and a few more, so that a shard is seldom queried again.
        let limit = Some((wanted.saturating_mul(2) / shards).saturating_add(4));
        let cursors =
            lists.iter().flat_map(|list| (0..SHARDS).map(|shard| list.partition(shard))).map(|pk| {
                let range = Range { from: from.clone(), to: to.clone(), limit, ..Range::new(pk) };
                PartitionCursor { range, rows: VecDeque::new(), ended: false }
            });
        Self { table, doing, cursors: cursors.collect() }
    }

    async fn next(&mut self) -> Result<Option<(String, Item)>, StoreError> {
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
        self.range.limit = self.range.limit.map(|limit| limit.saturating_mul(4));
        Ok(())
    }
}

/// Returns a page of items of which one more was collected than fits.
fn page<T>(mut items: Vec<T>, limit: usize, token: impl Fn(&T) -> String) -> Page<T> {
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
        let mut rows =
            MergedRows::new(&self.table, "list the open reviews", &[List::Open], (from, None), wanted);
        let mut found = Vec::new();
        while found.len() < wanted
            && let Some((sk, row)) = rows.next().await?
        {
            let reviews = index::read_row(&row).ok_or_else(|| self.damaged_row(&sk))?;
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

    pub(super) async fn threads(
        &self,
        standing: Option<ThreadStatus>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<(ThreadId, ThreadStatus)>, StoreError> {
        let after = after.map(page_token::read_thread).transpose()?;
        let limit = limit.max(1);
        // No thread is missing in spite of an error: updates of status and due time are never deferred.
        let _ = self.finish_index_updates().await?;
        let lists = match standing {
            Some(standing) => vec![index::list(standing)],
            None => vec![List::Busy, List::Stuck, List::Ended],
        };
        let from = after.as_ref().map(|thread| thread.as_str().to_owned());
        let wanted = limit.saturating_add(1);
        let mut rows = MergedRows::new(&self.table, "list the threads", &lists, (from, None), wanted);
        let (mut found, now_s) = (Vec::new(), Self::now_s());
        while found.len() < wanted
            && let Some((sk, row)) = rows.next().await?
        {
            let thread = ThreadId::existing(&sk).map_err(|_| self.damaged_row(&sk))?;
            let is_over = row.get_number("expires").is_some_and(|expires| expires <= now_s);
            let found_standing = row.get_text("standing").and_then(index::standing);
            let found_standing = found_standing.ok_or_else(|| self.damaged_row(&sk))?;
            if !is_over
                && after.as_ref() != Some(&thread)
                && standing.is_none_or(|wanted| wanted == found_standing)
            {
                found.push((thread, found_standing));
            }
        }
        Ok(page(found, limit, |(thread, _)| page_token::after_thread(thread)))
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
            &[List::Due],
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

    fn damaged_row(&self, sk: &str) -> StoreError {
        let problem = format!("the row `{sk}` of a list is damaged; restore the table to an earlier time");
        error::failure(&self.table.name, problem)
    }
}
