//! The meaning of the entries: the change of a thread's state by each event.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Entry, Event, Fold, FoldError, Lane, LaneId, LaneState, Lease, Place, Proposer, ROOT, Requesters,
    Signature, Source, Sources, Stop, Transition, Values, entry_ref::FieldWrites, lane::Write,
    lane_state::Activation, lane_state::Feedback, lane_state::OpenReviewState, proposal::SourceRef,
};
use crate::{Timestamp, state::ReadBack};

impl Fold {
    /// Applies an entry, whose place is `self.next`, to the state.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Result<(), FoldError> {
        let place = self.next;
        if self.ended && !matches!(entry.event, Event::Adopted { .. }) {
            return Err(FoldError::Damaged("the thread ended before it".to_owned()));
        }
        self.at = entry.at;
        self.take_lease(entry.lease.as_ref(), entry.at);
        match &entry.event {
            Event::Started { .. } if !self.lanes.is_empty() => {
                return Err(FoldError::Damaged("the thread started earlier".to_owned()));
            }
            Event::Started { graph, print, version, id, input, to, requester, from } => {
                self.requesters = Arc::new(Requesters::of(requester.as_ref()));
                graph.clone_into(&mut self.graph);
                print.clone_into(&mut self.print);
                self.version = *version;
                self.id = id.as_str().into();
                if let Some(lease) = self.lease.as_mut().filter(|lease| lease.runner.is_empty()) {
                    lease.runner.clone_from(id);
                }
                match (to, &entry.snapshot) {
                    (Some(to), _) => {
                        self.lanes
                            .insert(ROOT, Lane::new(Arc::clone(&self.unwritten), None, LaneState::Joined));
                        self.lanes_made = 1;
                        self.lane(ROOT)?.sources = Sources::beginning(Source::Start);
                        self.take(ROOT, input, Some(SourceRef::Start))?;
                        self.arrive(ROOT, to, place, false, None)?;
                    }
                    (None, Some(snapshot)) => {
                        self.restore(snapshot)?;
                        self.is_fork = from.is_some();
                        let requesters = Requesters::clone(&self.requesters).with_entry(requester.as_ref());
                        self.requesters = Arc::new(requesters);
                    }
                    (None, None) => {
                        return Err(FoldError::Damaged(
                            "it does not record where the thread starts".to_owned(),
                        ));
                    }
                }
            }
            Event::Ran { node, lane, run, wrote, to } => {
                self.lane(*lane)?.runs.record(node, *run);
                self.take(*lane, wrote, Some(SourceRef::After(node)))?;
                return self.ran(*lane, to);
            }
            Event::Began { lane, key, .. } => {
                let lane = self.lane(*lane)?;
                lane.sources.act();
                let activation = lane.at.take_activation()?;
                lane.spend(&activation);
                lane.at = LaneState::Began { activation, key: key.clone(), place };
            }
            Event::Paused {
                lane,
                field,
                digest,
                role,
                deadline,
                remind,
                covers,
                shows,
                proposed,
                edit,
                when,
                risk,
                irreversible,
                not_requester,
                ..
            } => {
                self.opened(*lane, field);
                let named = self.current_name(*lane, field);
                self.ask(*lane, &named);
                let at = &mut self.lane(*lane)?.at;
                // If new code requires another review of a signed draft, the earlier signature no longer counts.
                let activation = Activation { signed: false, ..at.take_activation()? };
                *at = LaneState::Paused(Box::new(OpenReviewState {
                    activation,
                    field: field.clone(),
                    place,
                    digest: *digest,
                    role: role.clone(),
                    opened: entry.at,
                    deadline: *deadline,
                    remind: *remind,
                    reminded: 0,
                    proposed: proposed.clone(),
                    covers: covers.clone(),
                    shows: shows.clone(),
                    edit: *edit,
                    when: when.clone(),
                    risk: *risk,
                    irreversible: *irreversible,
                    not_requester: *not_requester,
                }));
            }
            Event::Signed { node, lane, field, digest, by, role, covers, shows, .. } => {
                if by.operator().is_some() {
                    return Err(FoldError::Damaged("an operator signs with a verdict alone".to_owned()));
                }
                self.opened(*lane, field);
                self.answered(*lane, field, false);
                let lane = self.lane(*lane)?;
                match &mut lane.at {
                    LaneState::Ready { activation, .. } if activation.node == *node && !activation.signed => {
                        activation.signed = true;
                    }
                    _ => {
                        return Err(FoldError::Damaged(
                            "it signs for a node that is not next, or is signed already".to_owned(),
                        ));
                    }
                }
                let signature = Signature {
                    node: node.clone(),
                    place,
                    by: by.clone(),
                    role: role.clone(),
                    digest: *digest,
                    covers: covers.clone(),
                    shows: shows.clone(),
                    spent: BTreeMap::new(),
                    risk: None,
                    irreversible: false,
                    by_requester: None,
                };
                Arc::make_mut(&mut lane.signatures).insert(field.clone(), signature);
            }
            Event::Reminded { lane, times, .. } => match &mut self.lane(*lane)?.at {
                LaneState::Paused(open) => open.reminded = *times,
                _ => return Err(FoldError::Damaged("it is about a review that is not open".to_owned())),
            },
            Event::Decided { lane, verdict, operator, unverified, to, proposal, evidence, .. } => {
                self.reset_steps(*lane);
                let by = Proposer { operator: operator.clone(), unverified: *unverified, edit: place };
                self.decide(*lane, verdict, (by, evidence.as_deref()), to, proposal.as_deref())?;
            }
            Event::Failed { lane, error, again, withheld, .. } => {
                let at = &mut self.lane(*lane)?.at;
                let mut activation = at.take_activation()?;
                *at = match again {
                    Some(_) => {
                        activation.failures += u32::from(!withheld);
                        LaneState::Ready { activation, again: *again }
                    }
                    None => LaneState::Failed {
                        activation,
                        since: entry.at,
                        error: error.clone(),
                        stopped: false,
                    },
                };
            }
            Event::InDoubt { lane, key, error, .. } => {
                let at = &mut self.lane(*lane)?.at;
                let (activation, began) = match at {
                    LaneState::Began { activation, place, .. } => (activation.clone(), *place),
                    _ => {
                        return Err(FoldError::Damaged(
                            "it is about an effect that had not begun".to_owned(),
                        ));
                    }
                };
                *at = LaneState::InDoubt {
                    activation,
                    key: key.clone(),
                    place: began,
                    since: entry.at,
                    error: error.clone(),
                };
            }
            Event::Settled { lane, how, operator, run, to, .. } => {
                self.reset_steps(*lane);
                self.settle(*lane, how, operator, *run, to.as_ref(), entry.at)?;
            }
            Event::Migrated { print, version, renamed, void } => {
                self.apply_migration(print, *version, renamed, void)
            }
            Event::Resumed { .. } => {
                self.steps = 0;
                for lane in self.lanes.values_mut() {
                    lane.steps = 0;
                    if let LaneState::Failed { activation, stopped: false, .. } = &lane.at {
                        let activation = Activation { failures: 0, ..activation.clone() };
                        lane.at = LaneState::Ready { activation, again: None };
                    }
                }
            }
            Event::Stopped { .. } | Event::Unpaused { .. } if self.is_cancelled() => {
                return Err(FoldError::Damaged("the thread was cancelled before it".to_owned()));
            }
            Event::Stopped { kind, scope, reason, operator, unverified, evidence, .. } => {
                let stop = Stop {
                    scope: scope.clone(),
                    kind: *kind,
                    operator: operator.clone(),
                    unverified: *unverified,
                    roles: evidence.iter().filter_map(|evidence| evidence.role.clone()).collect(),
                    reason: reason.clone(),
                    since: entry.at,
                };
                self.stop = Some(Box::new(stop.over(self.stop.as_deref())));
            }
            Event::Unpaused { .. } => self.stop = None,
            Event::Renewed {} | Event::Adopted { .. } => {}
            Event::Ended {} => self.ended = true,
        }
        self.release();
        Ok(())
    }

    /// Moves a lane to its next position after its node has finished and its writes were applied.
    pub(crate) fn ran(&mut self, lane: LaneId, to: &Transition) -> Result<(), FoldError> {
        match self.item_around(lane) {
            Some(item) => self.lane(item)?.steps += 1,
            None => self.steps += 1,
        }
        let of = self.lane(lane)?;
        if let Some(activation) = of.at.activation().filter(|activation| activation.signed) {
            of.sources.done(&activation.node);
        }
        self.arrive(lane, to, self.next, false, None)?;
        self.release();
        Ok(())
    }

    /// Counts the steps from here on: a person has acted on a lane.
    pub(super) fn reset_steps(&mut self, lane: LaneId) {
        self.steps = 0;
        if let Some(item) = self.item_around(lane).and_then(|item| self.lanes.get_mut(item)) {
            item.steps = 0;
        }
    }

    /// Sets the lease, if the entry has one.
    pub(crate) fn take_lease(&mut self, lease: Option<&Lease>, at: Timestamp) {
        if let Some(lease) = lease {
            self.lease = Some(lease.clone());
            (self.lease_from, self.lease_ends) = (Some(at), None);
        }
    }

    /// Removes the lease if no runner can act on the thread.
    pub(super) fn release(&mut self) {
        self.lanes.reindex();
        // The runner of a thread that is paused has it until it ends its lease: the pause may be lifted at once.
        let is_paused = self.stop.is_some() && !self.is_closed() && self.lanes.has_ready();
        if self.lease.is_some() && !self.runs() && !is_paused {
            self.lease = None;
        }
    }

    /// Counts the run of a node that has just finished, and writes its values to its lane. `back` has those of them
    /// that were read back from their JSON.
    pub(crate) fn write(
        &mut self,
        lane: LaneId,
        node: &str,
        run: Option<u32>,
        wrote: FieldWrites<'_>,
        mut back: Vec<ReadBack>,
    ) -> Result<(), FoldError> {
        let place = self.next;
        let lane = self.lane(lane)?;
        lane.runs.record(node, run);
        for (field, json) in wrote {
            let back = back.iter().position(|back| back.is_of(field)).map(|i| back.swap_remove(i));
            let asked = lane.asked_value(field);
            lane.write(Write { field, json, replaces: false, place }, back)?;
            lane.sources.wrote(field, SourceRef::After(node));
            lane.keep_asked(field, asked);
        }
        Ok(())
    }

    /// Writes the values of an entry, which may be of an older version of the state, to a lane. Values with a source go
    /// through the reducers; values without one replace the fields' values.
    pub(super) fn take(
        &mut self,
        lane: LaneId,
        wrote: &Values,
        source: Option<SourceRef<'_>>,
    ) -> Result<(), FoldError> {
        let (place, older) = (self.next, self.is_older());
        let updated = self.updated(wrote)?;
        let lane = self.lane(lane)?;
        for (field, json) in &*updated {
            match source {
                Some(source) => lane.take_from(field, json, source, place)?,
                None => lane.take(field, json, true, place)?,
            }
        }
        if older {
            lane.keep(wrote);
        }
        Ok(())
    }

    /// Moves a lane to a node, a fork, a `for`, its join or the end.
    pub(super) fn arrive(
        &mut self,
        id: LaneId,
        to: &Transition,
        place: Place,
        signed: bool,
        feedback: Option<Box<Feedback>>,
    ) -> Result<(), FoldError> {
        match to {
            Transition::Node(node) => {
                let activation = Activation { signed, feedback, ..Activation::to(node, place) };
                self.lane(id)?.at = LaneState::Ready { activation, again: None };
            }
            Transition::End => self.lane(id)?.at = LaneState::Ended,
            Transition::Fork { heads, join } => self.fork(id, heads, join, place)?,
            Transition::Each(each) => self.each(id, each, place)?,
            Transition::Join => self.reach_join(id, place)?,
        }
        Ok(())
    }
}
