//! The index data of one thread, and the rows that contain it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    item::{Item, MIN_COMPRESSED_BYTES},
    key::{self, Key, List},
    write::Write,
};
use crate::{
    Digest, ThreadId,
    store::{
        OpenReview, Place, ThreadStatus,
        compression::{compress, decompress},
    },
};

/// The maximum number of rows that one transaction changes. It takes 100 items, and a few of them are not rows.
pub(super) const MAX_ROWS: usize = 90;

/// The maximum number of rows that a change of the status and of the due time takes: one deleted and one put for each.
const STATUS_AND_DUE_ROWS: usize = 4;

/// The maximum size of a row in bytes, so that the rows of one transaction stay below its limit of 4 MB.
pub(super) const MAX_ROW_BYTES: usize = 32_000;

/// The maximum number of review rows of one thread, so that its head stays below the limit of 400 KB for an item.
pub(super) const MAX_BLOCKS: usize = 10_000;

/// The key of a row of open reviews. Reviews that were opened in the same millisecond share a row, 32 places to a row:
/// a `for` opens a thousand of them in one transaction, and each verdict rewrites one small row. The order of the rows
/// is the order of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block {
    pub(super) opened_ms: u64,
    number: u64,
}

impl Block {
    pub(super) fn new(opened_ms: u64, place: Place) -> Self {
        Self { opened_ms, number: place >> 5 }
    }

    fn key(self, thread: &ThreadId) -> Key {
        Key::row(List::Open, thread, self.sk(thread))
    }

    /// Returns the sort key, in the order of the pages: time, thread, place.
    pub(super) fn sk(self, thread: &ThreadId) -> String {
        format!("{:016x}/{thread}/{:016x}", self.opened_ms, self.number)
    }
}

/// The index data of a thread.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    pub(super) standing: Option<ThreadStatus>,
    /// The time at which the thread expires, in seconds since the epoch.
    pub(super) expires: Option<u64>,
    pub(super) due_ms: Option<u64>,
    /// The rows of open reviews, each with the first 8 bytes of its content's digest.
    pub(super) blocks: BTreeMap<Block, [u8; 8]>,
}

/// The rows of open reviews with their content.
pub(super) type Rows = BTreeMap<Block, Vec<u8>>;

/// Returns the rows for these reviews.
pub(super) fn rows(reviews: &[OpenReview]) -> Rows {
    let mut blocks: BTreeMap<Block, BTreeMap<(Place, Digest), &OpenReview>> = BTreeMap::new();
    for review in reviews {
        let block = Block::new(review.opened_ms, review.place);
        blocks.entry(block).or_default().insert((review.place, review.digest), review);
    }
    let content = |reviews: BTreeMap<_, &OpenReview>| {
        // Plain data, which serde_json can always serialize.
        let reviews = serde_json::to_vec(&reviews.into_values().collect::<Vec<_>>()).unwrap_or_default();
        compress(&reviews, MIN_COMPRESSED_BYTES)
    };
    blocks.into_iter().map(|(block, reviews)| (block, content(reviews))).collect()
}

/// Returns an upper bound on the size of these reviews as JSON, in bytes.
pub(super) fn size(reviews: &[OpenReview]) -> usize {
    // Numbers, the digest, and the names of the fields. Each byte of a name counts twice, since a quotation mark is
    // escaped.
    const REST: usize = 300;
    let names = |review: &OpenReview| {
        let role = review.role.as_ref().map_or(0, String::len);
        review.thread.as_str().len() + review.graph.len() + review.node.len() + role
    };
    reviews.iter().map(|review| 2 * names(review) + REST).sum()
}

/// Decodes the reviews of a row, in the order of the pages; `None` if [`rows`] did not encode it.
pub(super) fn read_row(item: &Item) -> Option<Vec<OpenReview>> {
    serde_json::from_slice(&decompress(item.get_bytes("reviews")?)?).ok()
}

/// Returns the keys of these rows, each with the first 8 bytes of its content's digest.
pub(super) fn blocks(rows: &Rows) -> BTreeMap<Block, [u8; 8]> {
    let prefix = |content: &[u8]| {
        let [a, b, c, d, e, f, g, h, ..] = *Digest::of(content).as_bytes();
        [a, b, c, d, e, f, g, h]
    };
    rows.iter().map(|(block, content)| (*block, prefix(content))).collect()
}

impl Index {
    /// Returns an upper bound on the number of rows that differ from those of `new`.
    pub(super) fn distance(&self, new: &Self) -> usize {
        self.changed_blocks(new).count() + STATUS_AND_DUE_ROWS
    }

    /// Returns the index data after one transaction on the way to `new`: `new` itself if one transaction suffices.
    pub(super) fn step(&self, new: &Self) -> Self {
        if self.distance(new) <= MAX_ROWS {
            return new.clone();
        }
        let mut next = self.clone();
        for block in self.changed_blocks(new).take(MAX_ROWS - STATUS_AND_DUE_ROWS) {
            match new.blocks.get(&block) {
                Some(prefix) => next.blocks.insert(block, *prefix),
                None => next.blocks.remove(&block),
            };
        }
        next
    }

    fn changed_blocks(&self, new: &Self) -> impl Iterator<Item = Block> {
        let all: BTreeSet<Block> = self.blocks.keys().chain(new.blocks.keys()).copied().collect();
        all.into_iter().filter(|block| self.blocks.get(block) != new.blocks.get(block))
    }

    /// Returns the writes that change the rows to `new`. The content of new rows is taken from `rows`.
    pub(super) fn writes(&self, new: &Self, rows: &Rows, thread: &ThreadId) -> Vec<Write> {
        let mut writes = Vec::new();
        if (self.standing, self.expires) != (new.standing, new.expires) {
            let (old_list, new_list) = (self.standing.map(list), new.standing.map(list));
            let row = |list| Key::row(list, thread, thread.as_str().into());
            writes.extend(old_list.filter(|_| old_list != new_list).map(row).map(Write::delete));
            writes.extend(new.standing.map(|standing| {
                let item = row(list(standing)).item().text("standing", standing.as_str());
                Write::put(item.maybe_number("expires", new.expires))
            }));
        }
        if self.due_ms != new.due_ms {
            let row = |at| Key::row(List::Due, thread, key::timed(at, thread));
            writes.extend(self.due_ms.map(row).map(Write::delete));
            writes.extend(new.due_ms.map(|at| Write::put(row(at).item())));
        }
        writes.extend(self.changed_blocks(new).map(|block| match rows.get(&block) {
            Some(content) if new.blocks.contains_key(&block) => {
                Write::put(block.key(thread).item().bytes("reviews", content.as_slice()))
            }
            _ => Write::delete(block.key(thread)),
        }));
        writes
    }

    /// Encodes the keys of the review rows for the head.
    pub(super) fn write_blocks(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.blocks.len() * 24);
        for (block, prefix) in &self.blocks {
            bytes.extend_from_slice(&block.opened_ms.to_be_bytes());
            bytes.extend_from_slice(&block.number.to_be_bytes());
            bytes.extend_from_slice(prefix);
        }
        compress(&bytes, MIN_COMPRESSED_BYTES)
    }
}

/// Decodes the result of [`Index::write_blocks`].
pub(super) fn read_blocks(bytes: &[u8]) -> Option<BTreeMap<Block, [u8; 8]>> {
    let bytes = decompress(bytes)?;
    let (all, []) = bytes.as_chunks::<24>() else { return None };
    let number = |bytes: &[u8]| Some(u64::from_be_bytes(bytes.try_into().ok()?));
    all.iter()
        .map(|each| {
            let block = Block { opened_ms: number(&each[..8])?, number: number(&each[8..16])? };
            Some((block, each[16..].try_into().ok()?))
        })
        .collect()
}

/// Returns the list of the threads with this status. Statuses that often follow each other share a list, so that a row
/// is written and none is deleted.
pub(super) fn list(standing: ThreadStatus) -> List {
    match standing {
        ThreadStatus::Running | ThreadStatus::Waiting => List::Busy,
        ThreadStatus::InDoubt | ThreadStatus::Failed => List::Stuck,
        ThreadStatus::Ended => List::Ended,
    }
}

/// Parses the result of [`ThreadStatus::as_str`].
pub(super) fn standing(word: &str) -> Option<ThreadStatus> {
    [
        ThreadStatus::Running,
        ThreadStatus::Waiting,
        ThreadStatus::InDoubt,
        ThreadStatus::Failed,
        ThreadStatus::Ended,
    ]
    .into_iter()
    .find(|standing| standing.as_str() == word)
}
