//! The lanes that may be able to run: an entry of a `for` with thousands of items examines the lanes that it concerns,
//! not all that wait.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::item_permits::{FullFor, ItemPermits};
use crate::journal::{Fold, LaneId};

/// A lane that ready lanes came out of; `None` for the root lane, which came out of none.
type Parent = Option<LaneId>;

/// The parents of the lanes that may be able to run.
///
/// All ready lanes of one parent wait for the same permits, so they are queued as one. The two vectors are sorted sets:
/// they are short, and keep their allocation from step to step.
#[derive(Default)]
pub(super) struct ReadyQueue {
    /// The parents to examine, the last one first.
    next: Vec<Parent>,
    /// The lanes whose nodes begin after this pass. They are ready until their nodes have ended.
    started: Vec<LaneId>,
    /// The parents whose lanes wait for a permit: by the lane of the `for` that is full, and by their item in it.
    waiting: BTreeMap<LaneId, BTreeMap<LaneId, BTreeSet<Parent>>>,
    /// The lanes of the `for`s that may have a free permit.
    freed: BTreeSet<LaneId>,
}

impl ReadyQueue {
    /// Queues the parents of all ready lanes.
    pub(super) fn reset(&mut self, fold: &Fold) {
        *self = Self { next: fold.lanes.parents_of_ready().collect(), ..Self::default() };
        self.next.reverse();
    }

    /// Begins a pass over the queued parents, after the nodes of the pass before have begun.
    pub(super) fn begin_pass(&mut self) {
        self.started.clear();
    }

    /// Returns whether the node of a lane begins after this pass.
    pub(super) fn is_started(&self, lane: LaneId) -> bool {
        self.started.binary_search(&lane).is_ok()
    }

    /// Queues the parent of a lane that may have become ready.
    pub(super) fn moved(&mut self, fold: &Fold, lane: LaneId) {
        if let Some(lane) = fold.lanes.get(&lane) {
            insert(&mut self.next, lane.parent);
        }
    }

    /// Notes that a node in a lane has ended, before its result is recorded: the permits of its items may be free.
    pub(super) fn ended(&mut self, fold: &Fold, lane: LaneId) {
        self.freed.extend(fold.items(lane).map(|(_, parent, _)| parent));
    }

    /// Notes that a node in a lane begins: what waits in the same items needs no further permit for them.
    pub(super) fn began(&mut self, fold: &Fold, lane: LaneId) {
        if let Err(at) = self.started.binary_search(&lane) {
            self.started.insert(at, lane);
        }
        for (item, parent, _) in fold.items(lane) {
            if let Some(items) = self.waiting.get_mut(&parent) {
                for parent in items.remove(&item).unwrap_or_default() {
                    insert(&mut self.next, parent);
                }
            }
        }
    }

    /// Queues a parent whose lanes wait for a permit, until one is free.
    pub(super) fn wait(&mut self, full: FullFor, parent: Parent) {
        self.waiting.entry(full.parent).or_default().entry(full.item).or_default().insert(parent);
    }

    /// Takes the next parent to examine.
    pub(super) fn pop(&mut self, fold: &Fold, permits: &ItemPermits) -> Option<Parent> {
        while self.next.is_empty() {
            let parent = *self.freed.first()?;
            let items = self.waiting.get_mut(&parent).filter(|_| !permits.is_full(fold, parent));
            match items.and_then(BTreeMap::pop_first) {
                Some((_, parents)) => self.next.extend(parents.into_iter().rev()),
                None => drop(self.freed.remove(&parent)),
            }
        }
        self.next.pop()
    }
}

/// Inserts a parent into the parents to examine.
fn insert(next: &mut Vec<Parent>, parent: Parent) {
    if let Err(at) = next.binary_search_by_key(&Reverse(parent), |parent| Reverse(*parent)) {
        next.insert(at, parent);
    }
}
