//! The head of a thread: the condition of its next append, and its data in the index.

use super::{
    index::{self, Index},
    item::Item,
    key::{Id, Incarnation, Key},
};
use crate::{Digest, ThreadId, store::Place};

/// The newest format that this program supports.
pub(super) const VERSION: u64 = 1;

/// The head item. There is one for each thread.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HeadItem {
    /// The place of the next entry.
    pub(super) next: Place,
    /// The hash of the last entry.
    pub(super) hash: Digest,
    /// The id of the write that produced this head.
    pub(super) by: Id,
    pub(super) incarnation: Incarnation,
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
        let Index { standing, expires, due_ms, .. } = self.index;
        let mut item = Key::head(thread)
            .item()
            .number("v", VERSION)
            .number("next", self.next)
            .bytes("hash", *self.hash.as_bytes())
            .bytes("by", self.by.as_bytes())
            .number("born", self.incarnation.number())
            .maybe_number("due", due_ms)
            .maybe_number("expires", expires);
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
            Some(VERSION) => Self::from_current_version(item).ok_or(HeadError::Damaged),
            Some(later) if later > VERSION => Err(HeadError::NewerVersion(later)),
            _ => Err(HeadError::Damaged),
        }
    }

    fn from_current_version(item: &Item) -> Option<Self> {
        let blocks = match item.get_bytes("open") {
            Some(blocks) => index::read_blocks(blocks)?,
            None => Default::default(),
        };
        let lag = match item.get_text("late") {
            None => None,
            Some("reviews") => Some(IndexLag::Reviews),
            Some("gone") => Some(IndexLag::Deleted),
            Some(_) => return None,
        };
        Some(Self {
            next: item.get_number("next")?,
            hash: Digest::from_bytes(item.get_bytes("hash")?.try_into().ok()?),
            by: Id::from_bytes(item.get_bytes("by")?)?,
            incarnation: Incarnation::new(item.get_number("born")?),
            index: Index {
                standing: item.get_text("standing").and_then(index::standing),
                expires: item.get_number("expires"),
                due_ms: item.get_number("due"),
                blocks,
            },
            lag,
        })
    }

    /// Returns whether the thread exists: it was not deleted and has not expired, even if its items still exist.
    pub(super) fn is_live(&self, now_s: u64) -> bool {
        self.lag != Some(IndexLag::Deleted) && self.index.expires.is_none_or(|expires| expires > now_s)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::{OpenReview, ThreadStatus};

    fn heads() -> [HeadItem; 2] {
        let by = Id::random().unwrap();
        let review = OpenReview {
            thread: ThreadId::new("t").unwrap(),
            graph: "G".into(),
            node: "n".into(),
            digest: Digest::of(b""),
            role: None,
            place: 4,
            opened_ms: 1,
            deadline_ms: None,
        };
        let index = Index {
            standing: Some(ThreadStatus::InDoubt),
            expires: Some(7),
            due_ms: Some(8),
            blocks: index::blocks(&index::rows(&[review])),
        };
        let full = HeadItem {
            next: 5,
            hash: Digest::of(b"x"),
            by,
            incarnation: by.incarnation(),
            index,
            lag: Some(IndexLag::Reviews),
        };
        let bare = HeadItem { index: Index::default(), lag: None, ..full.clone() };
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
    fn an_invalid_head_is_rejected() {
        let [full, _] = heads();
        let item = full.item(&ThreadId::new("t").unwrap());
        assert_eq!(HeadItem::from_item(&item.clone().number("v", 2)), Err(HeadError::NewerVersion(2)));
        for damaged in [
            Item::default(),
            item.clone().text("v", "1"),
            item.clone().text("next", "5"),
            item.clone().bytes("hash", *b"short"),
            item.clone().bytes("by", *b"short"),
            item.clone().bytes("open", [0, 1]),
            item.clone().text("late", "?"),
        ] {
            assert_eq!(HeadItem::from_item(&damaged), Err(HeadError::Damaged));
        }
    }
}
