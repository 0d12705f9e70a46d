//! Consistent reads of a journal.

use super::{
    Shared,
    batch::{self, Batch},
    error,
    head::HeadItem,
    item::Item,
    key::{self, HEAD, Key},
    retry::{MAX_ATTEMPTS, back_off},
    table::Range,
};
use crate::{
    Digest, Place, StoreError, ThreadId,
    store::{Record, Tail},
};

/// The number of items in a page when a journal is read backwards. A snapshot follows after 64 entries or more, and an
/// append often has several entries, so most tails fit in one page.
const PAGE_ITEMS: usize = 64;

/// The number of bytes of entries after which a result ends. The batch that reaches it is included.
const MAX_RESULT_BYTES: usize = 4 * 1024 * 1024;

const DOING: &str = "read a journal";

/// The result of one read.
enum TailRead {
    Consistent(Option<Tail>),
    /// A concurrent change was observed: items were deleted, or a transaction was only partly visible to the query.
    Inconsistent,
}

impl Shared {
    pub(super) async fn tail(&self, thread: &ThreadId) -> Result<Option<Tail>, StoreError> {
        for attempts in 1..=MAX_ATTEMPTS {
            if let TailRead::Consistent(tail) = self.read_back(thread).await? {
                return Ok(tail);
            }
            back_off(attempts).await;
        }
        Err(error::incomplete(&self.table.name, thread, "an entry"))
    }

    /// Reads from the head back to the last snapshot. Concurrent appends have keys after the range that is still to be
    /// read, and all entries that the head covers existed when the head was read.
    async fn read_back(&self, thread: &ThreadId) -> Result<TailRead, StoreError> {
        let mut range = Range {
            from: Some(key::entry(Place::START)),
            to: Some(HEAD.into()),
            backwards: true,
            limit: Some(PAGE_ITEMS),
            ..Range::new(key::partition(thread))
        };
        let (mut items, mut next) = self.table.query(DOING, range.clone()).await?;
        let first = items.first().filter(|item| Key::from_item(item).is_some_and(|key| key.sk == HEAD));
        let Some(head) = self.read_head(thread, first)?.filter(|head| head.is_live(Self::now_s())) else {
            return Ok(TailRead::Consistent(None));
        };
        items.remove(0);
        let in_head = self.records_in(thread, &head)?;
        // Entries move from the head to an item of their own, which is skipped if this head still has them.
        let next_item = head.next - in_head.len() as u64;
        // Newest batch first.
        let (mut batches, mut missing) = (Vec::new(), head.next);
        // The tail, if its snapshot was found but the hash of the entry before it was not.
        let mut found: Option<Vec<Record>> = None;
        let mut at_head = (!in_head.is_empty()).then_some(in_head);
        loop {
            let stored: Vec<_> = items
                .iter()
                .filter_map(|item| Some((last_of(item, &head).filter(|last| *last < next_item)?, item)))
                .collect();
            let mut stored = stored.into_iter();
            loop {
                let records = match at_head.take() {
                    Some(records) => records,
                    None => {
                        let Some((last, item)) = stored.next() else { break };
                        let batch = self.read_batch(thread, item, last).await?;
                        let Some(batch) = batch.filter(|_| last + 1 == missing) else {
                            return Ok(TailRead::Inconsistent);
                        };
                        batch.records
                    }
                };
                let is_newest = missing == head.next;
                missing = missing - records.len() as u64;
                let hash = records.last().map(|record| record.hash);
                if let Some(found) = found.take() {
                    return Ok(TailRead::Consistent(Some(Tail::new(found).with_before(hash))));
                }
                if is_newest && hash != Some(head.hash) {
                    let what = "the newest entry (its hash differs from the one in the head)";
                    return Err(error::damaged(&self.table.name, thread, what));
                }
                let has_snapshot = records.iter().any(|record| record.snapshot);
                batches.push(records);
                if missing == 0 || has_snapshot {
                    let records = std::mem::take(&mut batches).into_iter().rev().flatten().collect();
                    let (before, records) = from_snapshot(records);
                    if before.is_some() || missing == 0 {
                        return Ok(TailRead::Consistent(Some(Tail::new(records).with_before(before))));
                    }
                    found = Some(records);
                }
            }
            if next.is_none() {
                return Ok(TailRead::Inconsistent);
            }
            range.after = next;
            (items, next) = self.table.query(DOING, range.clone()).await?;
        }
    }

    pub(super) async fn entries(
        &self,
        thread: &ThreadId,
        from: Place,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        for attempts in 1..=MAX_ATTEMPTS {
            if let Some(records) = self.read_on(thread, from, limit).await? {
                return Ok(records);
            }
            back_off(attempts).await;
        }
        Err(error::incomplete(&self.table.name, thread, "an entry"))
    }

    /// Reads entries from a place on; `None` if a concurrent change was observed.
    async fn read_on(
        &self,
        thread: &ThreadId,
        from: Place,
        limit: usize,
    ) -> Result<Option<Vec<Record>>, StoreError> {
        // The head first: entries that it no longer contains later are then in an item of their own.
        let head = self.head(DOING, thread).await?;
        let Some(head) = head.filter(|head| head.is_live(Self::now_s()) && from < head.next) else {
            return Ok(Some(Vec::new()));
        };
        let in_head = self.records_in(thread, &head)?;
        let first_in_head = head.next - in_head.len() as u64;
        let mut records = Vec::new();
        let reaches_head =
            from >= first_in_head || self.read_stored(thread, &head, (from, limit), &mut records).await?;
        let place = from + records.len() as u64;
        if reaches_head && place >= first_in_head {
            records.extend(in_head.into_iter().filter(|record| record.place >= place));
        }
        records.truncate(limit);
        // According to the head there is an entry at `from`. If there is none, the transaction that moved it out of the
        // head was only partly visible, or the thread was deleted during the read.
        Ok(Some(records).filter(|records| !records.is_empty()))
    }

    /// Reads the entries that are in items of their own, from a place on. Returns `true` if there are no further ones.
    async fn read_stored(
        &self,
        thread: &ThreadId,
        head: &HeadItem,
        (from, limit): (Place, usize),
        records: &mut Vec<Record>,
    ) -> Result<bool, StoreError> {
        let mut range = Range {
            from: Some(key::entry(from)),
            to: Some(key::entry(Place::new(u64::MAX))),
            limit: Some(limit.min(PAGE_ITEMS)),
            ..Range::new(key::partition(thread))
        };
        let mut bytes = 0;
        loop {
            let (items, next) = self.table.query(DOING, range.clone()).await?;
            for item in &items {
                let Some(last) = last_of(item, head) else { continue };
                let place = from + records.len() as u64;
                let batch = self.read_batch(thread, item, last).await?.unwrap_or_default();
                // The result ends at a gap: the entries after it were appended during this read.
                let follows = batch.records.first().is_some_and(|record| record.place <= place);
                bytes += batch::size(&batch.records);
                if follows {
                    records.extend(batch.records.into_iter().filter(|record| record.place >= place));
                }
                if !follows || records.len() >= limit || bytes >= MAX_RESULT_BYTES {
                    records.truncate(limit);
                    return Ok(false);
                }
            }
            // A page may contain only items of another incarnation of the thread, which are skipped.
            match next {
                Some(_) if records.is_empty() => range.after = next,
                more => return Ok(more.is_none()),
            }
        }
    }

    /// Returns the entries in a head.
    pub(super) fn records_in(&self, thread: &ThreadId, head: &HeadItem) -> Result<Vec<Record>, StoreError> {
        let records = head.records().filter(|records| head.next >= records.len() as u64);
        records.ok_or_else(|| error::damaged(&self.table.name, thread, "the entries in its head"))
    }

    /// Reads the batch of an item; `None` if its parts were deleted.
    pub(super) async fn read_batch(
        &self,
        thread: &ThreadId,
        item: &Item,
        last: Place,
    ) -> Result<Option<Batch>, StoreError> {
        let Some(bytes) = self.batch_bytes(thread, item).await? else { return Ok(None) };
        match batch::decode(&bytes, last) {
            Some(batch) => Ok(Some(batch)),
            None => Err(error::damaged(&self.table.name, thread, &format!("the entry at place {last}"))),
        }
    }
}

/// Returns the place of the last entry of a batch, if the batch belongs to this incarnation of the thread.
fn last_of(item: &Item, head: &HeadItem) -> Option<Place> {
    let Key { sk, .. } = Key::from_item(item)?;
    let (last, incarnation) = key::read_batch(&sk)?;
    (incarnation == head.incarnation).then_some(last)
}

/// Returns the entries from the last snapshot on, and the hash of the entry before them if it is among `records`.
fn from_snapshot(mut records: Vec<Record>) -> (Option<Digest>, Vec<Record>) {
    match records.iter().rposition(|record| record.snapshot) {
        Some(snapshot) => {
            let tail = records.split_off(snapshot);
            (records.last().map(|record| record.hash), tail)
        }
        None => (None, records),
    }
}
