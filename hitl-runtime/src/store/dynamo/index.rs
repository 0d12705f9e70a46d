//! The index data of one thread, and the rows that contain it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    item::{Item, MIN_COMPRESSED_BYTES},
    key::{self, Key, List},
    review_row,
    write::Write,
};
use crate::{
    Digest, Place, ThreadId, Timestamp,
    store::{
        OpenReview, ThreadStatus,
        compression::{compress, decompress},
    },
};

/// The maximum number of rows that one transaction changes. It takes 100 items, and a few of them are not rows.
pub(super) const MAX_ROWS: usize = 90;

/// The maximum number of rows that a change of the status and of the due time takes: one deleted and one put for each,
/// and one in the list of running threads.
const STATUS_AND_DUE_ROWS: usize = 5;

/// The maximum size of a row in bytes, so that the rows of one transaction stay below its limit of 4 MB.
pub(super) const MAX_ROW_BYTES: usize = 32_000;

/// The maximum number of review rows of one thread, so that its head stays below the limit of 400 KB for an item.
pub(super) const MAX_BLOCKS: usize = 10_000;

/// The key of a row of open reviews. Reviews that were opened in the same millisecond share a row, 32 places to a row:
/// a `for` opens a thousand of them in one transaction, and each verdict rewrites one small row. The order of the rows
/// is the order of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block {
    pub(super) opened: Timestamp,
    number: u64,
    /// `true` if the row is in the list of the old layout. It stays there until its last review is closed: a row that
    /// moved from one list to the other could be missed by a reader of both.
    is_old: bool,
}

/// The bit of a block's number in the head that is set for the rows of the old layout. Numbers are smaller.
const OLD_BIT: u64 = 1 << 63;

impl Block {
    pub(super) fn new(opened: Timestamp, place: Place) -> Self {
        Self { opened, number: place.get() >> 5, is_old: false }
    }

    /// Returns the same row in the current layout.
    fn current(self) -> Self {
        Self { is_old: false, ..self }
    }

    fn key(self, thread: &ThreadId) -> Key {
        Key::row(if self.is_old { List::OldOpen } else { List::Reviews }, thread, self.sk(thread))
    }

    /// Returns the sort key, in the order of the pages: time, thread, place.
    pub(super) fn sk(self, thread: &ThreadId) -> String {
        format!("{:016x}/{thread}/{:016x}", self.opened.as_millis(), self.number)
    }
}

/// The index data of a thread.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    /// `true` if the row for the status was written in the old layout. It remains as it is until the status changes.
    pub(super) is_old: bool,
    pub(super) standing: Option<ThreadStatus>,
    /// The time at which the thread expires, in seconds since the epoch.
    pub(super) expires: Option<u64>,
    pub(super) due: Option<Timestamp>,
    /// `true` if the due time is in the list of running threads. A due time that stays the same stays in its list, so
    /// that a reader of both lists does not miss it.
    pub(super) is_due_as_running: bool,
    /// The rows of open reviews, each with the first 8 bytes of its content's digest.
    pub(super) blocks: BTreeMap<Block, [u8; 8]>,
}

/// The rows of open reviews in the current layout, with their content.
pub(super) type Rows = BTreeMap<Block, Vec<u8>>;

/// Returns the rows for these reviews.
pub(super) fn rows(reviews: &[OpenReview]) -> Rows {
    let mut blocks: BTreeMap<Block, BTreeMap<(Place, Digest), &OpenReview>> = BTreeMap::new();
    for review in reviews {
        let block = Block::new(review.opened, review.place);
        blocks.entry(block).or_default().insert((review.place, review.digest), review);
    }
    let content = |reviews: BTreeMap<_, &OpenReview>| {
        compress(&review_row::encode(reviews.into_values()), MIN_COMPRESSED_BYTES)
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

/// Returns the keys of these rows, each with the first 8 bytes of its content's digest.
pub(super) fn blocks(rows: &Rows) -> BTreeMap<Block, [u8; 8]> {
    let prefix = |content: &[u8]| {
        let [a, b, c, d, e, f, g, h, ..] = *Digest::of(content).as_bytes();
        [a, b, c, d, e, f, g, h]
    };
    rows.iter().map(|(block, content)| (*block, prefix(content))).collect()
}

impl Index {
    /// Returns this index data for a thread that has the data `old` until now: rows that are still needed stay where
    /// they are.
    pub(super) fn after(mut self, old: &Self) -> Self {
        self.is_old = old.is_old && self.standing == old.standing;
        self.is_due_as_running = match self.due {
            None => false,
            due if due == old.due => old.is_due_as_running,
            Some(_) => self.standing == Some(ThreadStatus::Running) && !self.is_old,
        };
        self.with_blocks_after(old)
    }

    /// Returns this index data with the rows of open reviews in the lists where they are in `old`.
    pub(super) fn with_blocks_after(mut self, old: &Self) -> Self {
        for block in old.blocks.keys().filter(|block| block.is_old) {
            if let Some(prefix) = self.blocks.remove(&block.current()) {
                self.blocks.insert(*block, prefix);
            }
        }
        self
    }

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

    /// Returns the rows for status and due time.
    fn status_rows(&self, thread: &ThreadId) -> BTreeMap<Key, Item> {
        let mut rows = Vec::new();
        if let Some(standing) = self.standing {
            let row = Key::row(list(standing, self.is_old), thread, thread.as_str().into()).item();
            // A thread that is running or waiting keeps its row as it is: the list of running threads has the rest.
            rows.push(match standing {
                ThreadStatus::Running | ThreadStatus::Waiting if !self.is_old => row,
                _ => row.text("standing", standing.as_str()).maybe_number("expires", self.expires),
            });
        }
        let is_running = self.standing == Some(ThreadStatus::Running) && !self.is_old;
        let (due_as_running, due) = match self.is_due_as_running {
            true => (self.due, None),
            false => (None, self.due),
        };
        if is_running || due_as_running.is_some() {
            let row = Key::row(List::Running, thread, thread.as_str().into()).item();
            let row = row.maybe_number("due", due_as_running.map(Timestamp::as_millis));
            rows.push(row.maybe_number("idle", (!is_running).then_some(1)));
        }
        rows.extend(due.map(|at| Key::row(List::Due, thread, key::timed(at, thread)).item()));
        rows.into_iter().filter_map(|row| Some((Key::from_item(&row)?, row))).collect()
    }

    /// Returns the writes that change the rows to `new`. The content of new rows is taken from `rows`.
    pub(super) fn writes(&self, new: &Self, rows: &Rows, thread: &ThreadId) -> Vec<Write> {
        let (old_rows, new_rows) = (self.status_rows(thread), new.status_rows(thread));
        let gone = old_rows.keys().filter(|key| !new_rows.contains_key(key));
        let mut writes: Vec<_> = gone.map(|key| Write::delete(key.clone())).collect();
        let changed = new_rows.into_iter().filter(|(key, item)| old_rows.get(key) != Some(item));
        writes.extend(changed.map(|(_, item)| Write::put(item)));
        writes.extend(self.changed_blocks(new).map(|block| match rows.get(&block.current()) {
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
            bytes.extend_from_slice(&block.opened.as_millis().to_be_bytes());
            let number = block.number | if block.is_old { OLD_BIT } else { 0 };
            bytes.extend_from_slice(&number.to_be_bytes());
            bytes.extend_from_slice(prefix);
        }
        compress(&bytes, MIN_COMPRESSED_BYTES)
    }
}

/// Decodes the result of [`Index::write_blocks`]. `is_old` is `true` if all rows have the old layout.
pub(super) fn read_blocks(bytes: &[u8], is_old: bool) -> Option<BTreeMap<Block, [u8; 8]>> {
    let bytes = decompress(bytes)?;
    let (all, []) = bytes.as_chunks::<24>() else { return None };
    let number = |bytes: &[u8]| Some(u64::from_be_bytes(bytes.try_into().ok()?));
    all.iter()
        .map(|each| {
            let (opened, number) = (number(&each[..8])?, number(&each[8..16])?);
            let is_old = is_old || number & OLD_BIT != 0;
            let block = Block { opened: Timestamp::from_millis(opened), number: number & !OLD_BIT, is_old };
            Some((block, each[16..].try_into().ok()?))
        })
        .collect()
}

/// Returns the list of the threads with this status. Statuses that often follow each other share a list, so that no row
/// is written when one becomes the other.
fn list(standing: ThreadStatus, is_old: bool) -> List {
    match standing {
        ThreadStatus::Running | ThreadStatus::Waiting => List::Busy,
        ThreadStatus::InDoubt | ThreadStatus::Failed if is_old => List::OldStuck,
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
