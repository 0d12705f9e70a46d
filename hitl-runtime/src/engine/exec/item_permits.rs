//! The limit on the items of a `for` that run concurrently.

use std::collections::BTreeSet;

use crate::journal::{Fold, LaneId};

/// The items that have a running node, by the lane of their `for`. Both are sorted: they are few, and mostly added in
/// this order.
#[derive(Default)]
pub(super) struct ItemPermits(Vec<(LaneId, Vec<LaneId>)>);

/// A `for` without a free permit, and an item that needs one.
#[derive(Clone, Copy)]
pub(super) struct FullFor {
    /// The lane of the `for`.
    pub(super) parent: LaneId,
    /// The lane of the item.
    pub(super) item: LaneId,
}

impl ItemPermits {
    /// Creates the permits, with those of the running lanes taken.
    pub(super) fn new(fold: &Fold, busy: &BTreeSet<LaneId>) -> Self {
        let mut permits = Self::default();
        busy.iter().for_each(|lane| permits.fill(fold, *lane));
        permits
    }

    /// Takes a permit for a lane in every `for` that it runs in. Takes none if one of them is full.
    pub(super) fn take(&mut self, fold: &Fold, lane: LaneId) -> Result<(), FullFor> {
        let full = fold.items(lane).find_map(|(item, parent, each)| {
            let running = self.running(parent)?;
            let is_full = running.len() >= each.at_most && running.binary_search(&item).is_err();
            is_full.then_some(FullFor { parent, item })
        });
        match full {
            Some(full) => Err(full),
            None => {
                self.fill(fold, lane);
                Ok(())
            }
        }
    }

    /// Returns whether the `for` of a lane has no permit left.
    pub(super) fn is_full(&self, fold: &Fold, parent: LaneId) -> bool {
        let each = fold.lanes.get(&parent).and_then(|lane| lane.at.each());
        each.is_some_and(|each| self.running(parent).is_some_and(|running| running.len() >= each.at_most))
    }

    fn fill(&mut self, fold: &Fold, lane: LaneId) {
        for (item, parent, _) in fold.items(lane) {
            let found = self.0.binary_search_by_key(&parent, |(parent, _)| *parent);
            let at = found.unwrap_or_else(|at| {
                self.0.insert(at, (parent, Vec::new()));
                at
            });
            if let Some((_, running)) = self.0.get_mut(at)
                && let Err(at) = running.binary_search(&item)
            {
                running.insert(at, item);
            }
        }
    }

    fn running(&self, parent: LaneId) -> Option<&Vec<LaneId>> {
        let at = self.0.binary_search_by_key(&parent, |(parent, _)| *parent).ok()?;
        self.0.get(at).map(|(_, running)| running)
    }
}
