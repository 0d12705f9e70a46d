//! Appends that are too large for one item. Their parts are written first, under a unique random name, and are
//! invisible until the transaction that replaces the head refers to them.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    Shared,
    cleanup::{CleanupIntent, parts_reference},
    error,
    item::Item,
    key::{Id, Key},
};
use crate::{StoreError, ThreadId};

/// The maximum number of bytes in one item. With names and keys, the item stays below 400 KB.
pub(super) const MAX_PART_BYTES: usize = 384 * 1024;

/// The number of parts that are processed concurrently.
const CONCURRENCY: usize = 8;

/// Parts that are written, but not referred to yet.
pub(super) struct StagedParts {
    attempt: Id,
    count: u64,
    /// The cleanup intent for the parts. The transaction that refers to them deletes it.
    pub(super) intent: CleanupIntent,
}

impl StagedParts {
    /// Adds a reference to the parts to an item.
    pub(super) fn add_reference(&self, item: Item) -> Item {
        item.bytes("attempt", self.attempt.as_bytes()).number("parts", self.count)
    }
}

impl Shared {
    pub(super) async fn stage(
        &self,
        thread: &ThreadId,
        bytes: &[u8],
        expires: Option<u64>,
    ) -> Result<StagedParts, StoreError> {
        const DOING: &str = "write the parts of a large append";
        let attempt = Id::random()?;
        let count = bytes.len().div_ceil(MAX_PART_BYTES) as u64;
        let staged = StagedParts { attempt, count, intent: CleanupIntent::parts(thread, attempt, count) };
        self.table.put(DOING, staged.intent.item()).await?;
        let parts = (0..).zip(bytes.chunks(MAX_PART_BYTES)).map(|(number, part)| {
            let item = Key::part(&attempt, number).item().bytes("part", part);
            self.table.put(DOING, item.maybe_number("expires", expires))
        });
        let parts: Vec<_> = parts.collect();
        stream::iter(parts).buffer_unordered(CONCURRENCY).try_collect::<()>().await?;
        Ok(staged)
    }

    /// Reads the bytes of staged parts; `None` if a part is missing.
    pub(super) async fn join(&self, attempt: Id, count: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let parts: Vec<_> = (0..count).map(|number| self.part(attempt, number)).collect();
        let parts: Vec<_> = stream::iter(parts).buffered(CONCURRENCY).try_collect().await?;
        Ok(parts.into_iter().collect::<Option<Vec<Vec<u8>>>>().map(|parts| parts.concat()))
    }

    async fn part(&self, attempt: Id, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let item = self.table.get("read the parts of a large append", &Key::part(&attempt, number)).await?;
        Ok(item.and_then(|item| item.get_bytes("part").map(<[u8]>::to_vec)))
    }

    /// Deletes the parts that exist.
    pub(super) async fn delete_parts(&self, attempt: Id, count: u64) -> Result<(), StoreError> {
        let keys: Vec<_> = (0..count).map(|number| Key::part(&attempt, number)).collect();
        let deleted = keys
            .iter()
            .map(|key| self.table.delete("delete the parts of a large append", key))
            .collect::<Vec<_>>();
        stream::iter(deleted).buffer_unordered(CONCURRENCY).try_collect::<()>().await
    }

    /// Returns the bytes of a batch, from its item or its parts; `None` if the parts were deleted.
    pub(super) async fn batch_bytes(
        &self,
        thread: &ThreadId,
        item: &Item,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(bytes) = item.get_bytes("entries") {
            return Ok(Some(bytes.to_vec()));
        }
        let (attempt, count) =
            parts_reference(item).ok_or_else(|| error::damaged(&self.table.name, thread, "an entry"))?;
        self.join(attempt, count).await
    }
}
