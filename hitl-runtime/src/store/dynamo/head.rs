//! The head of a thread: the condition of its next append, and its data in the index.

use super::{
    batch,
    index::{self, Index},
    item::Item,
    key::{Id, Incarnation, Key},
};
use crate::{Digest, Place, ThreadId, Timestamp, store::Record};

/// The newest format that this program supports.
pub(super) const VERSION: u64 = 2;

/// The oldest format that this program supports. Its heads contain no entries, and the rows of its threads have other
/// keys.
const OLD_VERSION: u64 = 1;

/// The maximum size of a head with entries, in bytes: a larger item costs a further write unit.
const MAX_HEAD_BYTES: usize = 1024;

/// The maximum number of earlier writes whose ids a head contains.
const MAX_EARLIER: usize = 4;

/// The size from which the entries in a head are compressed, in bytes.
const MIN_COMPRESSED_ENTRIES: usize = 256;

/// The head item. There is one for each thread.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HeadItem {
    /// The place of the next entry.
    pub(super) next: Place,
    /// The hash of the last entry.
    pub(super) hash: Digest,
    /// The id of the write that produced this head.
    pub(super) by: Id,
    /// The ids of the last writes before that one, newest first.
    pub(super) earlier: Vec<Id>,
    pub(super) incarnation: Incarnation,
    /// The newest entries, encoded, if they are in the head and not in an item of their own.
    pub(super) entries: Option<Vec<u8>>,
    /// The data that the index rows contain at present.
    pub(super) index: Index,
    pub(super) lag: Option<IndexLag>,
}

/// The pending work until the index agrees with the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexLag {
    /// The rows of the open reviews must become those of the last batch.
    Reviews,
    /// The thread was deleted, and its rows must be deleted.
    Deleted,
}

/// The reason why an item is not a head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeadError {
    NewerVersion(u64),
    Damaged,
}

impl HeadItem {
    pub(super) fn item(&self, thread: &ThreadId) -> Item {
        let Index { standing, expires, due, .. } = self.index;
        let mut item = Key::head(thread)
            .item()
            .number("v", VERSION)
            .number("next", self.next.get())
            .bytes("hash", *self.hash.as_bytes())
            .bytes("by", self.by.as_bytes())
            .number("born", self.incarnation.number())
            .maybe_number("due", due.map(Timestamp::as_millis))
            .maybe_number("runs", self.index.is_due_as_running.then_some(1))
            .maybe_number("rows", self.index.is_old.then_some(OLD_VERSION))
            .maybe_number("expires", expires);
        if let Some(entries) = &self.entries {
            item = item.bytes("entries", entries.as_slice());
        }
        if !self.earlier.is_empty() {
            item = item.bytes("ids", self.earlier.iter().flat_map(Id::as_bytes).copied().collect::<Vec<_>>());
        }
        if let Some(standing) = standing {
            item = item.text("standing", standing.as_str());
        }
        if !self.index.blocks.is_empty() {
            item = item.bytes("open", self.index.write_blocks());
        }
        match self.lag {
            None => item,
            Some(IndexLag::Reviews) => item.text("late", "reviews"),
            Some(IndexLag::Deleted) => item.text("late", "gone"),
        }
    }

    pub(super) fn from_item(item: &Item) -> Result<Self, HeadError> {
        match item.get_number("v") {
            Some(version @ OLD_VERSION..=VERSION) => {
                Self::from_version(item, version == OLD_VERSION).ok_or(HeadError::Damaged)
            }
            Some(later) if later > VERSION => Err(HeadError::NewerVersion(later)),
            _ => Err(HeadError::Damaged),
        }
    }

    fn from_version(item: &Item, is_old: bool) -> Option<Self> {
        let blocks = match item.get_bytes("open") {
            Some(blocks) => index::read_blocks(blocks, is_old)?,
            None => Default::default(),
        };
        let lag = match item.get_text("late") {
            None => None,
            Some("reviews") => Some(IndexLag::Reviews),
            Some("gone") => Some(IndexLag::Deleted),
            Some(_) => return None,
        };
        Some(Self {
            next: item.get_number("next")?.into(),
            hash: Digest::from_bytes(item.get_bytes("hash")?.try_into().ok()?),
            by: Id::from_bytes(item.get_bytes("by")?)?,
            earlier: match item.get_bytes("ids") {
                Some(ids) => ids.chunks(size_of::<Id>()).map(Id::from_bytes).collect::<Option<_>>()?,
                None => Vec::new(),
            },
            incarnation: Incarnation::new(item.get_number("born")?),
            entries: item.get_bytes("entries").map(<[u8]>::to_vec),
            index: Index {
                is_old: is_old || item.get_number("rows").is_some(),
                is_due_as_running: item.get_number("runs").is_some(),
                standing: item.get_text("standing").and_then(index::standing),
                expires: item.get_number("expires"),
                due: item.get_number("due").map(Timestamp::from_millis),
                blocks,
            },
            lag,
        })
    }

    /// Returns this head as the write `by` rewrites it.
    pub(super) fn rewritten(&self, by: Id) -> Self {
        Self { by, earlier: self.ids().take(MAX_EARLIER).collect(), ..self.clone() }
    }

    /// Returns the ids of the last writes of the head, newest first.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> {
        std::iter::once(self.by).chain(self.earlier.iter().copied())
    }

    /// Returns the entries in the head, oldest first; `None` if they are damaged.
    pub(super) fn records(&self) -> Option<Vec<Record>> {
        let Some(entries) = &self.entries else { return Some(Vec::new()) };
        Some(batch::decode(entries, self.next.checked_sub(1)?)?.records)
    }

    /// Returns the place of the first entry in the head; `None` if there is none or the entries are damaged.
    pub(super) fn first_in_head(&self) -> Option<Place> {
        self.records()?.first().map(|record| record.place)
    }

    /// Puts these entries, which are the newest ones, into the head if it remains small.
    pub(super) fn with_entries(&self, thread: &ThreadId, records: &[Record]) -> Option<Self> {
        if !may_fit(records) {
            return None;
        }
        let entries = Some(batch::encode(records, None, MIN_COMPRESSED_ENTRIES));
        let head = Self { entries, ..self.clone() };
        (head.item(thread).size() <= MAX_HEAD_BYTES).then_some(head)
    }

    /// Returns whether the thread exists: it was not deleted and has not expired, even if its items still exist.
    pub(super) fn is_live(&self, now_s: u64) -> bool {
        self.lag != Some(IndexLag::Deleted) && self.index.expires.is_none_or(|expires| expires > now_s)
    }
}

/// Returns whether these entries might fit in a head, without compressing them.
pub(super) fn may_fit(records: &[Record]) -> bool {
    // JSON seldom compresses to less than an eighth.
    batch::size(records) < 8 * MAX_HEAD_BYTES
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::{OpenReview, ThreadStatus};

    fn heads() -> [HeadItem; 2] {
        let by = Id::random().unwrap();
        let review = OpenReview::new(
            ThreadId::new("t").unwrap(),
            "G",
            "n",
            Digest::of(b""),
            4,
            Timestamp::from_millis(1),
        );
        let index = Index {
            is_old: true,
            is_due_as_running: true,
            standing: Some(ThreadStatus::InDoubt),
            expires: Some(7),
            due: Some(Timestamp::from_millis(8)),
            blocks: index::blocks(&index::rows(&[review])),
        };
        let full = HeadItem {
            next: Place::new(5),
            hash: Digest::of(b"x"),
            by,
            earlier: vec![Id::random().unwrap(), by],
            incarnation: by.incarnation(),
            entries: Some(b"entries".to_vec()),
            index,
            lag: Some(IndexLag::Reviews),
        };
        let bare =
            HeadItem { index: Index::default(), earlier: vec![], entries: None, lag: None, ..full.clone() };
        [full, bare]
    }

    #[test]
    fn a_head_round_trips() {
        let thread = ThreadId::new("t").unwrap();
        for head in heads() {
            assert_eq!(HeadItem::from_item(&head.item(&thread)), Ok(head));
        }
    }

    #[test]
    fn a_head_keeps_the_ids_of_its_last_writes() {
        let [_, bare] = heads();
        let ids: Vec<_> = (0..6).map(|_| Id::random().unwrap()).collect();
        let last = ids.iter().fold(bare, |head, by| head.rewritten(*by));
        assert_eq!(last.ids().collect::<Vec<_>>(), ids.into_iter().rev().take(5).collect::<Vec<_>>());
    }

    #[test]
    fn an_invalid_head_is_rejected() {
        let [full, _] = heads();
        let item = full.item(&ThreadId::new("t").unwrap());
        assert_eq!(HeadItem::from_item(&item.clone().number("v", 3)), Err(HeadError::NewerVersion(3)));
        for damaged in [
            Item::default(),
            item.clone().text("v", "1"),
            item.clone().text("next", "5"),
            item.clone().bytes("hash", *b"short"),
            item.clone().bytes("by", *b"short"),
            item.clone().bytes("ids", *b"short"),
            item.clone().bytes("open", [0, 1]),
            item.clone().text("late", "?"),
        ] {
            assert_eq!(HeadItem::from_item(&damaged), Err(HeadError::Damaged));
        }
    }
}
