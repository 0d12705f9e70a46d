//! The limit on the items of a `for` that run concurrently.

use std::collections::BTreeSet;

use crate::journal::{Fold, LaneId};

/// The items that have a running node, by the lane of their `for`. Both are sorted: they are few, and mostly added in
/// this order.
#[derive(Default)]
pub(super) struct ItemPermits(Vec<(LaneId, Vec<LaneId>)>);

impl ItemPermits {
    /// Creates the permits, with those of the running lanes taken.
    pub(super) fn new(fold: &Fold, busy: &BTreeSet<LaneId>) -> Self {
        let mut permits = Self::default();
        busy.iter().for_each(|lane| permits.fill(fold, *lane));
        permits
    }

    /// Takes a permit for a lane in every `for` that it runs in. Returns `false`, and takes none, if one of them is full.
    pub(super) fn take(&mut self, fold: &Fold, lane: LaneId) -> bool {
        let free = fold.items(lane).all(|(item, parent, each)| {
            self.running(parent)
                .is_none_or(|running| running.len() < each.at_most || running.binary_search(&item).is_ok())
        });
        if free {
            self.fill(fold, lane);
        }
        free
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
