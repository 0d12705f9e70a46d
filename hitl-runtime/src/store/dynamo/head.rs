//! The head of a thread: the condition of its next append, and its data in the index.

use super::{
    index::{self, Index},
    item::Item,
    key::{Born, Id, Key},
};
use crate::{Digest, ThreadId, store::Place};

/// The newest format that this program supports.
pub(super) const VERSION: u64 = 1;

/// The head item. There is one for each thread.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    /// The place of the next entry.
    pub(super) next: Place,
    /// The hash of the last entry.
    pub(super) hash: Digest,
    /// The id of the write that produced this head.
    pub(super) by: Id,
    pub(super) born: Born,
    /// The data that the index rows contain at present.
    pub(super) index: Index,
    pub(super) late: Option<Late>,
}

/// The pending work until the index agrees with the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// The rows of the open reviews must become those of the last batch.
    Reviews,
    /// The thread was deleted, and its rows must be deleted.
    Gone,
}

/// The reason why an item is not a head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    FromTheFuture(u64),
    Damaged,
}

impl Head {
    pub(super) fn item(&self, thread: &ThreadId) -> Item {
        let Index { standing, expires, due_ms, .. } = self.index;
        let mut item = Key::head(thread)
            .item()
            .number("v", VERSION)
            .number("next", self.next)
            .bytes("hash", *self.hash.as_bytes())
            .bytes("by", self.by.as_bytes())
            .number("born", self.born.number())
            .maybe_number("due", due_ms)
            .maybe_number("expires", expires);
        if let Some(standing) = standing {
            item = item.text("standing", standing.as_str());
        }
        if !self.index.blocks.is_empty() {
            item = item.bytes("open", self.index.write_blocks());
        }
        match self.late {
            None => item,
            Some(Late::Reviews) => item.text("late", "reviews"),
            Some(Late::Gone) => item.text("late", "gone"),
        }
    }

    pub(super) fn read(item: &Item) -> Result<Self, Unreadable> {
        match item.get_number("v") {
            Some(VERSION) => Self::read_this_version(item).ok_or(Unreadable::Damaged),
            Some(later) if later > VERSION => Err(Unreadable::FromTheFuture(later)),
            _ => Err(Unreadable::Damaged),
        }
    }

    fn read_this_version(item: &Item) -> Option<Self> {
        let blocks = match item.get_bytes("open") {
            Some(blocks) => index::read_blocks(blocks)?,
            None => Default::default(),
        };
        let late = match item.get_text("late") {
            None => None,
            Some("reviews") => Some(Late::Reviews),
            Some("gone") => Some(Late::Gone),
            Some(_) => return None,
        };
        Some(Self {
            next: item.get_number("next")?,
            hash: Digest::from_bytes(item.get_bytes("hash")?.try_into().ok()?),
            by: Id::read(item.get_bytes("by")?)?,
            born: Born::of(item.get_number("born")?),
            index: Index {
                standing: item.get_text("standing").and_then(index::standing),
                expires: item.get_number("expires"),
                due_ms: item.get_number("due"),
                blocks,
            },
            late,
        })
    }

    /// Returns whether the thread exists: it was not deleted and has not expired, even if its items still exist.
    pub(super) fn lives(&self, now_s: u64) -> bool {
        self.late != Some(Late::Gone) && self.index.expires.is_none_or(|expires| expires > now_s)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::{OpenReview, Standing};

    fn heads() -> [Head; 2] {
        let by = Id::draw().unwrap();
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
            standing: Some(Standing::InDoubt),
            expires: Some(7),
            due_ms: Some(8),
            blocks: index::blocks(&index::rows(&[review])),
        };
        let full =
            Head { next: 5, hash: Digest::of(b"x"), by, born: by.born(), index, late: Some(Late::Reviews) };
        let bare = Head { index: Index::default(), late: None, ..full.clone() };
        [full, bare]
    }

    #[test]
    fn a_head_reads_back() {
        let thread = ThreadId::new("t").unwrap();
        for head in heads() {
            assert_eq!(Head::read(&head.item(&thread)), Ok(head));
        }
    }

    #[test]
    fn an_invalid_head_is_rejected() {
        let [full, _] = heads();
        let item = full.item(&ThreadId::new("t").unwrap());
        assert_eq!(Head::read(&item.clone().number("v", 2)), Err(Unreadable::FromTheFuture(2)));
        for damaged in [
            Item::default(),
            item.clone().text("v", "1"),
            item.clone().text("next", "5"),
            item.clone().bytes("hash", *b"short"),
            item.clone().bytes("by", *b"short"),
            item.clone().bytes("open", [0, 1]),
            item.clone().text("late", "?"),
        ] {
            assert_eq!(Head::read(&damaged), Err(Unreadable::Damaged));
        }
    }
}
