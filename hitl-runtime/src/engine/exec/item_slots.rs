//! The limit on the items of a `for` that run concurrently.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::{Fold, LaneId};

/// The items that have a running node, by the lane of their `for`.
#[derive(Default)]
pub(super) struct ItemSlots(BTreeMap<LaneId, BTreeSet<LaneId>>);

impl ItemSlots {
    /// Creates the slots, with those of the running lanes taken.
    pub(super) fn new(fold: &Fold, busy: &BTreeSet<LaneId>) -> Self {
        let mut slots = Self::default();
        busy.iter().for_each(|lane| slots.fill(fold, *lane));
        slots
    }

    /// Takes a slot for a lane in every `for` that it runs in. Returns `false`, and takes none, if one of them is full.
    pub(super) fn take(&mut self, fold: &Fold, lane: LaneId) -> bool {
        let free = fold.items(lane).all(|(item, parent, each)| {
            self.0.get(&parent).is_none_or(|running| running.contains(&item) || running.len() < each.at_most)
        });
        if free {
            self.fill(fold, lane);
        }
        free
    }

    fn fill(&mut self, fold: &Fold, lane: LaneId) {
        for (item, parent, _) in fold.items(lane) {
            self.0.entry(parent).or_default().insert(item);
        }
    }
}
