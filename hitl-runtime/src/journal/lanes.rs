//! The lanes of a thread, with an index by their state: an entry of a `for` with thousands of items looks at the lanes
//! that it concerns, not at all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
};

use super::{Lane, LaneId, LaneState};

/// The lanes of a thread, by number.
///
/// It dereferences to the map of lanes. A lane whose state has changed must be indexed again, by [`Lanes::reindex`],
/// before the index is used.
#[derive(Default)]
pub(crate) struct Lanes {
    by_id: BTreeMap<LaneId, Box<Lane>>,
    index: Index,
    /// The lanes that may have changed since they were indexed.
    touched: Vec<LaneId>,
}

/// The lanes in each state that the runtime looks for.
#[derive(Debug, Default, PartialEq)]
struct Index {
    /// The lanes that are ready, by the lane that they came out of.
    ready: BTreeMap<Option<LaneId>, BTreeSet<LaneId>>,
    begun: BTreeSet<LaneId>,
    paused: BTreeSet<LaneId>,
    in_doubt: BTreeSet<LaneId>,
    failed: BTreeSet<LaneId>,
    stopped: BTreeSet<LaneId>,
}

/// The state under which a lane is indexed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Indexed {
    Ready,
    Begun,
    Paused,
    InDoubt,
    Failed,
    Stopped,
    /// In no state that is looked for, or not indexed yet.
    #[default]
    Other,
}

impl Indexed {
    fn from_state(at: &LaneState) -> Self {
        match at {
            LaneState::Ready { .. } => Self::Ready,
            LaneState::Began { .. } => Self::Begun,
            LaneState::Paused(_) => Self::Paused,
            LaneState::InDoubt { .. } => Self::InDoubt,
            LaneState::Failed { stopped: false, .. } => Self::Failed,
            LaneState::Failed { stopped: true, .. } => Self::Stopped,
            LaneState::Forked { .. } | LaneState::Looping { .. } | LaneState::Joined | LaneState::Ended => {
                Self::Other
            }
        }
    }
}

impl Index {
    fn set(&mut self, state: Indexed, parent: Option<LaneId>) -> Option<&mut BTreeSet<LaneId>> {
        match state {
            Indexed::Ready => Some(self.ready.entry(parent).or_default()),
            Indexed::Begun => Some(&mut self.begun),
            Indexed::Paused => Some(&mut self.paused),
            Indexed::InDoubt => Some(&mut self.in_doubt),
            Indexed::Failed => Some(&mut self.failed),
            Indexed::Stopped => Some(&mut self.stopped),
            Indexed::Other => None,
        }
    }

    fn insert(&mut self, state: Indexed, parent: Option<LaneId>, id: LaneId) {
        if let Some(set) = self.set(state, parent) {
            set.insert(id);
        }
    }

    fn remove(&mut self, state: Indexed, parent: Option<LaneId>, id: LaneId) {
        if let Some(set) = self.set(state, parent) {
            set.remove(&id);
            if set.is_empty() && state == Indexed::Ready {
                self.ready.remove(&parent);
            }
        }
    }
}

impl Deref for Lanes {
    type Target = BTreeMap<LaneId, Box<Lane>>;

    fn deref(&self) -> &Self::Target {
        &self.by_id
    }
}

impl Lanes {
    /// Returns a lane to change.
    pub(crate) fn get_mut(&mut self, id: LaneId) -> Option<&mut Lane> {
        let lane = self.by_id.get_mut(&id)?;
        if self.touched.last() != Some(&id) {
            self.touched.push(id);
        }
        Some(lane)
    }

    /// Returns all lanes to change.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.touched.extend(self.by_id.keys());
        self.by_id.values_mut().map(Box::as_mut)
    }

    /// Inserts a lane.
    pub(super) fn insert(&mut self, id: LaneId, lane: Box<Lane>) {
        self.remove(id);
        self.by_id.insert(id, lane);
        self.touched.push(id);
    }

    /// Removes a lane.
    pub(crate) fn remove(&mut self, id: LaneId) -> Option<Box<Lane>> {
        let lane = self.by_id.remove(&id)?;
        self.index.remove(lane.indexed, lane.parent, id);
        Some(lane)
    }

    /// Removes all lanes.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Indexes the lanes that may have changed.
    pub(super) fn reindex(&mut self) {
        for id in self.touched.drain(..) {
            let Some(lane) = self.by_id.get_mut(&id) else { continue };
            let state = Indexed::from_state(&lane.at);
            if state != lane.indexed {
                self.index.remove(lane.indexed, lane.parent, id);
                self.index.insert(state, lane.parent, id);
                lane.indexed = state;
            }
        }
    }

    fn index(&self) -> &Index {
        debug_assert!(
            self.touched.iter().all(|id| {
                self.by_id.get(id).is_none_or(|lane| lane.indexed == Indexed::from_state(&lane.at))
            }),
            "a lane changed its state and was not indexed again"
        );
        &self.index
    }

    /// Returns whether a lane is ready.
    pub(super) fn has_ready(&self) -> bool {
        !self.index().ready.is_empty()
    }

    /// Returns whether an effect has begun.
    pub(crate) fn has_begun(&self) -> bool {
        !self.index().begun.is_empty()
    }

    /// Returns whether an effect is in doubt.
    pub(crate) fn has_in_doubt(&self) -> bool {
        !self.index().in_doubt.is_empty()
    }

    /// Returns whether a lane has failed, or was stopped by a person.
    pub(crate) fn has_failed(&self) -> bool {
        !self.index().failed.is_empty() || !self.index().stopped.is_empty()
    }

    /// Returns the first lane that a person has stopped.
    pub(super) fn stopped(&self) -> Option<&Lane> {
        self.get(self.index().stopped.first()?).map(Box::as_ref)
    }

    /// Returns the lanes that wait for a review.
    pub(super) fn paused(&self) -> impl Iterator<Item = (LaneId, &Lane)> {
        self.index().paused.iter().filter_map(|id| Some((*id, &**self.get(id)?)))
    }

    /// Returns the lanes in which an effect has begun.
    pub(crate) fn begun(&self) -> Vec<LaneId> {
        self.index().begun.iter().copied().collect()
    }

    /// Returns the lanes that ready lanes came out of; `None` for lanes that came out of none.
    pub(crate) fn parents_of_ready(&self) -> impl Iterator<Item = Option<LaneId>> {
        self.index().ready.keys().copied()
    }

    /// Returns the first ready lane, from a number on, that came out of a lane.
    pub(crate) fn next_ready(&self, parent: Option<LaneId>, from: LaneId) -> Option<LaneId> {
        self.index().ready.get(&parent)?.range(from..).next().copied()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::journal::Place;
    use crate::{
        Timestamp,
        graph::StateSpec,
        journal::Activation,
        state::{Slots, StateTable, unmigrated},
    };

    static STATE: StateTable = StateTable {
        spec: StateSpec { name: "State", version: 1, fields: &[] },
        fields: &[],
        migrate: unmigrated,
    };

    fn state(number: u8) -> LaneState {
        let activation = Activation::to("node", 3.into());
        match number {
            0 => LaneState::Ready { activation, again: None },
            1 => LaneState::Began { activation, key: String::new(), place: Place::new(4) },
            2 => LaneState::InDoubt {
                activation,
                key: String::new(),
                place: Place::new(4),
                since: Timestamp::UNIX_EPOCH,
                error: String::new(),
            },
            3 | 4 => LaneState::Failed {
                activation,
                since: Timestamp::UNIX_EPOCH,
                error: String::new(),
                stopped: number == 4,
            },
            5 => LaneState::Joined,
            _ => LaneState::Ended,
        }
    }

    /// Returns the index that a scan of all lanes gives.
    fn scan(lanes: &Lanes) -> Index {
        let mut index = Index::default();
        for (id, lane) in lanes.iter() {
            index.insert(Indexed::from_state(&lane.at), lane.parent, *id);
        }
        index
    }

    proptest! {
        #[test]
        fn the_index_is_what_a_scan_of_all_lanes_gives(
            changes in prop::collection::vec((0_u32..12, 0_u8..9), 1..80),
        ) {
            let mut lanes = Lanes::default();
            for (id, change) in changes {
                match (change, lanes.contains_key(&id)) {
                    (7, _) => drop(lanes.remove(id)),
                    (8, _) => lanes.values_mut().for_each(|lane| lane.at = state(0)),
                    (number, true) => lanes.get_mut(id).unwrap().at = state(number),
                    (number, false) => {
                        let fields = Arc::new(Slots::empty(&STATE));
                        lanes.insert(id, Lane::new(fields, id.checked_sub(1), state(number)));
                    }
                }
                lanes.reindex();
                prop_assert_eq!(lanes.index(), &scan(&lanes));
            }
        }
    }
}
