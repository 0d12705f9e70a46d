//! Forks and joins: how a lane splits into branches or items, and how their results are merged.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{
    Activation, Each, Fold, FoldError, Lane, LaneId, LaneState, Place, Transition, proposal::SourceRef,
};
use crate::state::{FieldError, Slots};

impl Fold {
    /// Splits a lane into one lane for each branch of a fork.
    pub(super) fn fork(
        &mut self,
        id: LaneId,
        heads: &[String],
        join: &Transition,
        place: Place,
    ) -> Result<(), FoldError> {
        let parent = self.lane(id)?;
        parent.at = LaneState::Forked { join: join.clone() };
        let (fields, signatures) = (parent.fields.clone(), parent.signatures.clone());
        let (before, pending) = (parent.before.clone(), parent.pending.clone());
        let evaluated = parent.evaluated.clone();
        for head in heads {
            let lane = self.part(id, Arc::clone(&fields), head, place)?;
            lane.pending.clone_from(&pending);
            lane.signatures.clone_from(&signatures);
            lane.evaluated.clone_from(&evaluated);
            lane.before.clone_from(&before);
        }
        Ok(())
    }

    /// Splits a lane into one lane for each item of a list, in the order of the list.
    pub(super) fn each(&mut self, id: LaneId, each: &Each, place: Place) -> Result<(), FoldError> {
        let parent = self.lane(id)?;
        let mut before = parent.before.clone();
        before.remove(&each.list);
        let Some(parent) = self.lanes.get(&id) else { return Ok(()) };
        let around = Arc::clone(&parent.fields);
        let new = self.updated_each(each, parent)?;
        let (older, view) = (self.older_items_of(each, &new, parent)?, view_of(&new, parent));
        let Each { item, list, .. } = &*new;
        // A signature from before the `for` counts once, not once for each item: items begin without signatures.
        let is_empty = match older {
            Some(older) => {
                self.lane(id)?.at = LaneState::Looping { each: Box::new(new.into_owned()) };
                let is_empty = older.is_empty();
                for (item, wrote) in older {
                    let mut fields = view.clone();
                    item.iter().try_for_each(|(field, json)| fields.replace(field, json.get()))?;
                    let lane = self.part(id, Arc::new(fields), &each.head, place)?;
                    lane.before.clone_from(&before);
                    lane.before.extend(wrote);
                }
                is_empty
            }
            None => {
                let json = around.read(list)?;
                let json = json.ok_or_else(|| FieldError::value(list, "it is not written"))?;
                let items: Vec<&RawValue> =
                    serde_json::from_str(json).map_err(|e| FieldError::value(list, e))?;
                self.lane(id)?.at = LaneState::Looping { each: Box::new(Each::clone(&new)) };
                for json in &items {
                    let mut fields = view.clone();
                    fields.replace(item, json.get())?;
                    let lane = self.part(id, Arc::new(fields), &each.head, place)?;
                    lane.before.clone_from(&before);
                }
                items.is_empty()
            }
        };
        // The join writes to the fields.
        drop(around);
        if is_empty { self.join(id, place) } else { Ok(()) }
    }

    fn part(
        &mut self,
        parent: LaneId,
        fields: Arc<Slots>,
        head: &str,
        place: Place,
    ) -> Result<&mut Lane, FoldError> {
        let id = self.lanes_made;
        if self.lanes.contains_key(&id) {
            return Err(FoldError::Damaged(format!("it makes lane {id}, which exists")));
        }
        self.lanes_made += 1;
        let mut sources = None;
        if let Some(parent) = self.lanes.get_mut(parent) {
            parent.away += 1;
            parent.branches.push(id);
            sources = Some(parent.sources.branch(head));
        }
        let at = LaneState::Ready { activation: Activation::to(head, place), again: None };
        let mut lane = Lane::new(fields, Some(parent), at);
        lane.sources = sources.unwrap_or_default();
        self.lanes.insert(id, lane);
        self.lane(id)
    }

    /// Records that a person is asked about the value of a field in a lane, and in each lane around it that has the same
    /// value because the lanes in between have not written the field.
    pub(super) fn ask(&mut self, id: LaneId, field: &str) {
        let place = self.next;
        // Its name in this version of the state is not known.
        self.is_fork |= self.state.spec.field(field).is_none();
        let mut around = Some(id);
        while let Some(id) = around {
            let parent = self.lanes.get(&id).and_then(|lane| lane.parent);
            let item = parent.and_then(|parent| self.lanes.get(&parent)?.at.each());
            let is_own = item.is_some_and(|each| each.item == field);
            let Some(lane) = self.lanes.get_mut(id) else { return };
            lane.sources.ask(field, place);
            around = parent.filter(|_| !is_own && !lane.wrote.iter().any(|write| write.field == field));
        }
    }

    /// Moves a lane to the join of its fork or `for`, and merges the lanes if it is the last one.
    pub(super) fn reach_join(&mut self, id: LaneId, place: Place) -> Result<(), FoldError> {
        let lane = self.lane(id)?;
        lane.at = LaneState::Joined;
        lane.sources.close();
        lane.pending = None;
        let parent = lane.parent.ok_or_else(|| FoldError::Damaged("its lane is in no fork".to_owned()))?;
        let around = self.lane(parent)?;
        around.away = around.away.saturating_sub(1);
        let is_last = around.away == 0;
        if let Some(item) = around.at.each().map(|each| each.item.clone()) {
            let unwritten = Arc::clone(&self.unwritten);
            let lane = self.lane(id)?;
            // What an item writes to a field without a reducer stays in the item, as the item itself does.
            let (wrote, sources) = (&lane.wrote, &mut lane.sources);
            let is_own = |field: &str| {
                field == item
                    || !lane.fields.is_reduced(field) && wrote.iter().any(|write| write.field == field)
            };
            sources.keep_asked(|field| !is_own(field));
            lane.keep_shared(&unwritten);
        }
        if is_last { self.join(parent, place) } else { Ok(()) }
    }

    /// Merges the child lanes of a lane in the order of their numbers. All of them must have reached the join.
    fn join(&mut self, parent: LaneId, place: Place) -> Result<(), FoldError> {
        let branches = std::mem::take(&mut self.lane(parent)?.branches);
        let (at_fork, before_fork) =
            (self.lane(parent)?.signatures.clone(), self.lane(parent)?.before.clone());
        let (mut edits, mut writes) = (Vec::new(), Vec::new());
        let (mut signed, mut spent, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        let mut asked = Vec::new();
        for id in branches {
            let Some(branch) = self.lanes.remove(id) else { continue };
            let around = self.lane(parent)?;
            around.keep_new(&before_fork, &branch.before);
            around.sources.act_with(&branch.sources);
            around.evaluated.extend(&branch.evaluated);
            asked.push(branch.sources);
            if around.at.each().is_none() {
                // A signature that one branch lost, by a verdict or a write, ends. Items begin without signatures, so
                // this does not apply to them.
                ended.extend(at_fork.keys().filter(|field| !branch.signatures.contains_key(*field)).cloned());
            }
            for (field, signature) in Arc::unwrap_or_clone(branch.signatures) {
                let touched = branch.wrote.iter().any(|arrival| arrival.field == field);
                if touched || !at_fork.get(&field).is_some_and(|before| before.is_same(&signature)) {
                    signed.push((field, signature));
                } else {
                    spent.push((field, signature.spent));
                }
            }
            let (replacing, reducing): (Vec<_>, Vec<_>) =
                branch.wrote.into_iter().partition(|arrival| arrival.replaces);
            edits.extend(replacing);
            writes.extend(reducing);
        }
        // An edit replaces the value from before the fork, but not the writes of sibling lanes, so edits are merged
        // first.
        let lane = self.lane(parent)?;
        let met = lane.at.join().map(Transition::to_string);
        for arrival in edits.into_iter().chain(writes) {
            let asked = lane.asked_value(&arrival.field);
            lane.take(&arrival.field, &arrival.json, arrival.replaces, arrival.place)?;
            if let Some(met) = &met {
                lane.sources.wrote(&arrival.field, SourceRef::At(met));
                lane.keep_asked(&arrival.field, asked);
            }
        }
        asked.iter().for_each(|branch| lane.sources.ask_with(branch));
        let signatures = Arc::make_mut(&mut lane.signatures);
        // A signature that one branch has spent on an effect is spent for all.
        for (field, spent) in spent {
            if let Some(signature) = signatures.get_mut(&field) {
                for (node, entered) in spent {
                    signature.spent.entry(node).or_insert(entered);
                }
            }
        }
        ended.into_iter().for_each(|field| drop(signatures.remove(&field)));
        signatures.extend(signed);
        for field in lane.at.each().map(|each| each.into.clone()).unwrap_or_default() {
            if !lane.fields.is_written(&field) {
                lane.take(&field, &empty_list()?, false, place)?;
            }
        }
        let Some(join) = lane.at.join().cloned() else {
            return Err(FoldError::Damaged("its lane joins a lane that has not forked".to_owned()));
        };
        self.arrive(parent, &join, place, false, None)
    }

    /// Returns the items that a lane is inside of, innermost first: the lane of each item, the lane that is at its
    /// `for`, and the `for`.
    pub(crate) fn items(&self, id: LaneId) -> impl Iterator<Item = (LaneId, LaneId, &Each)> {
        let lanes = std::iter::successors(Some(id), |id| self.lanes.get(id)?.parent);
        lanes.filter_map(|item| {
            let parent = self.lanes.get(&item)?.parent?;
            Some((item, parent, self.lanes.get(&parent)?.at.each()?))
        })
    }
}

/// Returns the part of the parent's state that each item of a `for` sees.
pub(super) fn view_of(each: &Each, parent: &Lane) -> Slots {
    let mut view = Slots::clone(&parent.fields);
    if !each.keeps_list {
        view.remove(&each.list);
    }
    view
}

/// Returns an empty JSON list, for a list that no item has appended to.
fn empty_list() -> Result<Box<RawValue>, FoldError> {
    RawValue::from_string("[]".to_owned()).map_err(|e| FoldError::Damaged(e.to_string()))
}
