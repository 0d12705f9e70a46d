//! The append: one write or one transaction that replaces the head.

use std::borrow::Cow;

use super::{
    Shared, batch,
    cleanup::{CleanupIntent, MIN_AGE},
    error,
    head::{self, HeadItem, IndexLag},
    head_cache::HeadUpdate,
    index::{self, Index, MAX_BLOCKS, MAX_ROW_BYTES, MAX_ROWS, Rows},
    item::MIN_COMPRESSED_BYTES,
    key::{self, Id, Key},
    parts::{self, StagedParts},
    ttl::RevivedThread,
    write::Write,
};
use crate::{
    Place, StoreError, ThreadId,
    store::{Append, OpenReview, Record, ThreadStatus},
};

/// The maximum size of an append's entries, and of its open reviews, in bytes before compression.
pub(super) const MAX_APPEND_BYTES: usize = 16 * 1024 * 1024;

const DOING: &str = "append to a journal";

/// A validated and encoded append.
struct PreparedAppend {
    thread: ThreadId,
    records: Vec<Record>,
    reviews: Vec<OpenReview>,
    rows: Rows,
    index: Index,
    place: Place,
    after: Option<crate::Digest>,
}

impl PreparedAppend {
    fn new(append: Append, expires: Option<u64>) -> Result<Self, StoreError> {
        append.check()?;
        let Append { thread, records, standing, reviews, due, after, .. } = append;
        let rows = index::rows(&reviews);
        let problem = if batch::size(&records) > MAX_APPEND_BYTES {
            "its entries exceed 16 MiB in total; store large data elsewhere, and only its address in the state"
        } else if index::size(&reviews) > MAX_APPEND_BYTES {
            "its open reviews exceed 16 MiB in total; decide some of them first"
        } else if rows.values().any(|row| row.len() > MAX_ROW_BYTES) {
            "a row of its open reviews exceeds 32,000 bytes; shorten the names of the graph, the nodes or the roles"
        } else if rows.len() > MAX_BLOCKS {
            "its open reviews take more than 10,000 rows; decide some of them first"
        } else {
            let expires = expires.filter(|_| standing == ThreadStatus::Ended);
            let index = Index {
                standing: Some(standing),
                expires,
                due,
                blocks: index::blocks(&rows),
                ..Index::default()
            };
            let place = records.first().map_or(Place::START, |record| record.place);
            return Ok(Self { thread, records, reviews, rows, index, place, after });
        };
        Err(StoreError::InvalidAppend { thread, problem })
    }

    /// Returns whether the append creates a thread, possibly under the name of one that was deleted or has expired.
    fn creates_thread(&self) -> bool {
        self.place == 0
    }

    fn last(&self) -> Place {
        self.records.last().map_or(Place::START, |record| record.place)
    }

    /// Returns whether these entries directly follow that head.
    fn follows(&self, head: &HeadItem) -> bool {
        head.next == self.place && Some(head.hash) == self.after
    }

    fn conflict(self) -> StoreError {
        StoreError::Conflict { thread: self.thread, place: self.place }
    }
}

/// The head after an append, with or without entries, and the entries that get an item of their own.
struct EntryPlan<'a> {
    head: HeadItem,
    records: Cow<'a, [Record]>,
}

impl<'a> EntryPlan<'a> {
    /// Distributes the new entries, and the `earlier` ones that are in the head now. As long as the head remains small,
    /// entries in it cost nothing.
    fn new(prepared: &'a PreparedAppend, head: HeadItem, earlier: Vec<Record>) -> Self {
        let (thread, new) = (&prepared.thread, prepared.records.as_slice());
        // A deferred update reads the open reviews from the item of the last entries.
        if head.lag.is_none() && head::may_fit(new) {
            let all = [earlier.as_slice(), new].concat();
            if let Some(head) = head.with_entries(thread, &all) {
                return Self { head, records: Cow::default() };
            }
            if let Some(head) = head.with_entries(thread, new) {
                return Self { head, records: earlier.into() };
            }
        }
        let records = if earlier.is_empty() {
            Cow::Borrowed(new)
        } else {
            Cow::Owned([earlier.as_slice(), new].concat())
        };
        Self { head, records }
    }
}

impl Shared {
    pub(super) async fn append(&self, append: Append) -> Result<(), StoreError> {
        let expires = self.keep_ended.map(|keep| Self::now_s().saturating_add(keep.as_secs()));
        let prepared = PreparedAppend::new(append, expires)?;
        self.ensure_layout_record().await?;
        let mut before = self.head_to_follow(&prepared).await?;
        loop {
            if let Some(head) = &before {
                if head.lag.is_some() {
                    self.finish_index_update(&prepared.thread).await?;
                    before = self.head(DOING, &prepared.thread).await?;
                    continue;
                }
                let is_live = head.is_live(Self::now_s());
                if is_live && !prepared.follows(head) || !is_live && !prepared.creates_thread() {
                    return Err(prepared.conflict());
                }
            } else if !prepared.creates_thread() {
                return Err(prepared.conflict());
            }
            match self.append_after(&prepared, before.as_ref()).await? {
                HeadUpdate::Done => return Ok(()),
                HeadUpdate::Conflict(head) => before = head,
                HeadUpdate::ConditionFailed => {
                    return Err(error::failure(
                        &self.table.name,
                        "the parts of a large append were deleted by a cleanup before the append was committed; retry",
                    ));
                }
            }
        }
    }

    /// Returns the cached head if the append follows it, and reads the head otherwise. A new thread is assumed to have
    /// none. If the assumption is wrong, the transaction fails and returns the head.
    async fn head_to_follow(&self, prepared: &PreparedAppend) -> Result<Option<HeadItem>, StoreError> {
        match self.heads.get(&prepared.thread) {
            Some(head) if prepared.follows(&head) => Ok(Some(head)),
            _ if prepared.creates_thread() => Ok(None),
            _ => self.head(DOING, &prepared.thread).await,
        }
    }

    async fn append_after(
        &self,
        prepared: &PreparedAppend,
        before: Option<&HeadItem>,
    ) -> Result<HeadUpdate, StoreError> {
        let ended = before.filter(|head| !prepared.creates_thread() && head.index.expires.is_some());
        let Some(ended) = ended else { return self.write_after(prepared, before, None).await };
        let RevivedThread { head, intent } = match self.revive(&prepared.thread, ended).await? {
            Ok(awake) => awake,
            Err(update) => return Ok(update),
        };
        let update = self.write_after(prepared, Some(&head), Some(intent.clone())).await;
        if let Ok(HeadUpdate::Conflict(_)) = update {
            let _ = self.execute(&intent).await;
        }
        update
    }

    /// Writes the append. `intent` is the cleanup intent of an ended thread that is being continued.
    async fn write_after(
        &self,
        prepared: &PreparedAppend,
        before: Option<&HeadItem>,
        intent: Option<CleanupIntent>,
    ) -> Result<HeadUpdate, StoreError> {
        let token = Id::random()?;
        let thread = &prepared.thread;
        let nothing = Index::default();
        let old = before.map_or(&nothing, |head| &head.index);
        let index = &prepared.index.clone().after(old);
        let lag = (old.distance(index) > MAX_ROWS).then_some(IndexLag::Reviews);
        let now = match lag {
            None => index.clone(),
            Some(_) => Index { blocks: old.blocks.clone(), ..index.clone() },
        };
        let head = HeadItem {
            next: prepared.last() + 1,
            hash: prepared.records.last().map_or(crate::Digest::of(b""), |record| record.hash),
            by: token,
            earlier: before.map_or(Vec::new(), |head| head.rewritten(token).earlier),
            incarnation: before
                .filter(|_| !prepared.creates_thread())
                .map_or(token.incarnation(), |head| head.incarnation),
            entries: None,
            index: now,
            lag,
        };
        let earlier = match before.filter(|_| !prepared.creates_thread()) {
            Some(before) => self.records_in(thread, before)?,
            None => Vec::new(),
        };
        let EntryPlan { head, records } = EntryPlan::new(prepared, head, earlier);
        let mut writes = old.writes(&head.index, &prepared.rows, thread);
        if lag.is_some() {
            writes.push(Write::put(Key::lag_marker(thread).item()));
        }
        // Its earlier entries must get the same expiration time.
        let ends = head.first_in_head() != Some(Place::START)
            && !prepared.creates_thread()
            && index.expires.is_some();
        let intent = intent.or_else(|| ends.then(|| CleanupIntent::expire(thread, head.incarnation, &token)));
        writes.extend(intent.iter().map(|intent| Write::put(intent.item())));

        let mut staged = None;
        if let Some(last) = records.last() {
            let reviews = lag.map(|_| prepared.reviews.as_slice());
            let packed = batch::encode(&records, reviews, MIN_COMPRESSED_BYTES);
            let batch = Key::batch(thread, last.place, head.incarnation)
                .item()
                .maybe_number("expires", index.expires);
            if packed.len() > parts::MAX_PART_BYTES {
                let parts = self.stage(thread, &packed, index.expires).await?;
                writes.push(Write::put(parts.add_reference(batch)));
                writes.push(Write::delete(parts.intent.key.clone()).if_not_claimed());
                staged = Some(parts);
            } else {
                writes.push(Write::put(batch.bytes("entries", packed)));
            }
        }
        let update = match before {
            Some(before) if writes.is_empty() => self.replace_head(DOING, thread, before, &head).await,
            _ => self.update_head(DOING, thread, before, (token, Some(&head)), writes).await,
        };
        self.after_append(thread, &update, staged, intent, lag).await;
        update
    }

    /// Does the remaining work after an append. Errors are ignored, because other processes finish that work.
    async fn after_append(
        &self,
        thread: &ThreadId,
        update: &Result<HeadUpdate, StoreError>,
        staged: Option<StagedParts>,
        intent: Option<CleanupIntent>,
        lag: Option<IndexLag>,
    ) {
        match update {
            Ok(HeadUpdate::Done) => {
                if lag.is_some() {
                    let _ = self.finish_index_update(thread).await;
                }
                if let Some(intent) = intent {
                    let _ = self.execute(&intent).await;
                }
                if staged.is_some() {
                    let _ = self.clean_up_shard(key::shard(thread), MIN_AGE).await;
                }
            }
            Ok(HeadUpdate::Conflict(_)) => {
                if let Some(staged) = staged {
                    let _ = self.execute(&staged.intent).await;
                }
            }
            // The outcome is unknown. The parts may be in use; if they are not, their cleanup intent is executed later.
            Ok(HeadUpdate::ConditionFailed) | Err(_) => {}
        }
    }
}
