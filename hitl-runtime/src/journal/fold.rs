//! The fold of a journal: reads the entries of a thread in order, verifies their hashes, and derives the thread's
//! state.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use super::{
    Decision, Digest, Entry, Event, Lane, LaneId, LaneState, Lanes, Lease, Pending, Place, Proposal,
    Proposer, Question, ROOT, Rejection, Settlement, Signature, Source, Sources, Transition, Values, entry,
    entry_ref::FieldWrites,
    genesis,
    lane::Write,
    lane_state::{Activation, Feedback, OpenReviewState},
    link, migrate,
    proposal::SourceRef,
    split,
};
use crate::{
    ThreadId,
    state::{FieldError, ReadBack, Slots, StateTable},
    user_code::UserCodeError,
};

/// The state of a thread after its last entry.
pub(crate) struct Fold {
    pub(crate) state: &'static StateTable,
    /// The state's fields, all unwritten: strict ones, or lenient ones for a thread that may not fit the state.
    pub(super) unwritten: Arc<Slots>,
    /// The first failed migration, if the fields are lenient.
    pub(super) unmigrated: OnceLock<Unmigrated>,
    pub(crate) thread: ThreadId,
    /// The name of the graph that the thread was started on, and the fingerprint of the code that the thread last ran
    /// under.
    pub(crate) graph: String,
    pub(crate) print: String,
    /// The version of the state under which the last entry was written.
    pub(crate) version: u32,
    /// A random id that distinguishes this thread from a deleted one of the same name.
    pub(crate) id: Arc<str>,
    /// The operator who started the thread, if known.
    pub(crate) requester: Option<Arc<str>>,
    /// `true` if the state comes from stored entries only. `false` if it includes entries that this process has not
    /// stored.
    pub(crate) is_stored: bool,
    /// `true` if the last entry has a MAC.
    pub(crate) is_signed: bool,
    /// `true` if reading starts at a snapshot, not at the first entry.
    is_tail: bool,
    /// The place of the next entry.
    pub(crate) next: Place,
    /// The hash of the last entry.
    pub(crate) hash: Digest,
    pub(crate) lanes: Lanes,
    pub(super) lanes_made: LaneId,
    pub(crate) lease: Option<Lease>,
    /// The time at which the entry with the lease was written; unknown if the lease is from a snapshot.
    pub(crate) lease_from_ms: Option<u64>,
    /// The end of the lease by this process's clock, if the clock of the process that set it is ahead.
    pub(crate) lease_ends_ms: Option<u64>,
    /// The number of nodes that have finished since a person last acted on the thread.
    pub(crate) steps: u64,
    pub(crate) ended: bool,
    /// The time at which the last entry was written.
    pub(crate) at_ms: u64,
    /// The number of entries and their bytes since the last snapshot, and the size of that snapshot in bytes.
    pub(crate) since_snapshot: (usize, usize),
    pub(crate) snapshot_bytes: usize,
}

/// The error for entries that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FoldError {
    /// The bytes are not a valid continuation of the journal.
    #[error("{0}")]
    Damaged(String),
    /// The entry does not fit the state of this program.
    #[error("{0}")]
    Changed(#[from] FieldError),
    /// The function of `#[state(migrate = …)]` rejected the entry's values.
    #[error("{}", .0.problem)]
    Unmigrated(Unmigrated),
}

/// A failed migration.
#[derive(Clone, Debug)]
pub(crate) struct Unmigrated {
    /// The version that the values were written under.
    pub(crate) from: u32,
    pub(crate) problem: String,
}

impl FoldError {
    /// Returns the failure in user code that caused the error, if it is one.
    pub(crate) fn as_user_code_error(&self) -> Option<UserCodeError> {
        match self {
            Self::Changed(error) => error.as_user_code_error(),
            Self::Damaged(_) | Self::Unmigrated { .. } => None,
        }
    }
}

impl Fold {
    /// Decodes the values of some lanes. Lanes that are not there are skipped.
    ///
    /// # Errors
    /// The first value that does not fit its field.
    pub(crate) fn decode(&self, lanes: impl Iterator<Item = LaneId>) -> Result<(), FieldError> {
        let mut lanes = lanes.filter_map(|lane| self.lanes.get(&lane));
        lanes.try_for_each(|lane| lane.fields.decode_all())
    }

    /// Returns the number of lanes that have been made, which is the number of the next one.
    pub(crate) fn lanes_made(&self) -> LaneId {
        self.lanes_made
    }

    /// Returns the first failed migration of a thread that may not fit the state.
    pub(crate) fn unmigrated(&self) -> Option<&Unmigrated> {
        self.unmigrated.get()
    }

    /// Decodes all values of the thread.
    ///
    /// # Errors
    /// The first value that does not fit its field.
    pub(crate) fn decode_all(&self) -> Result<(), FieldError> {
        self.lanes.values().try_for_each(|lane| lane.fields.decode_all())
    }

    /// Returns a thread without entries.
    pub(crate) fn empty(state: &'static StateTable, thread: ThreadId) -> Self {
        Self::with(Slots::empty(state), thread)
    }

    fn with(unwritten: Slots, thread: ThreadId) -> Self {
        Self {
            state: unwritten.state(),
            unwritten: Arc::new(unwritten),
            unmigrated: OnceLock::new(),
            hash: genesis(thread.as_str()),
            thread,
            graph: String::new(),
            print: String::new(),
            version: entry::first(),
            id: Arc::default(),
            requester: None,
            is_stored: true,
            is_signed: false,
            is_tail: false,
            next: 0,
            lanes: Lanes::default(),
            lanes_made: 0,
            lease: None,
            lease_from_ms: None,
            lease_ends_ms: None,
            steps: 0,
            ended: false,
            at_ms: 0,
            since_snapshot: (0, 0),
            snapshot_bytes: 0,
        }
    }

    /// Returns a thread without entries that is to be read from its newest snapshot on. `before` is the hash of the
    /// entry before the first one to be read; `None` if that one is at place 0.
    pub(crate) fn after(state: &'static StateTable, thread: ThreadId, before: Option<Digest>) -> Self {
        Self::with(Slots::empty(state), thread).read_after(before)
    }

    /// As `after`, for a thread that may not fit the state. Values that do not fit are kept as they are.
    pub(crate) fn lenient_after(
        state: &'static StateTable,
        thread: ThreadId,
        before: Option<Digest>,
    ) -> Self {
        Self::with(Slots::lenient(state), thread).read_after(before)
    }

    fn read_after(self, before: Option<Digest>) -> Self {
        Self { is_tail: before.is_some(), hash: before.unwrap_or(self.hash), ..self }
    }

    /// Reads one stored entry. The first one must be at place 0, or, if reading starts at a snapshot, contain that
    /// snapshot.
    pub(crate) fn read(&mut self, place: Place, hash: Digest, body: &[u8]) -> Result<(), FoldError> {
        let first = self.lanes.is_empty();
        let thaws = first && self.is_tail && place > 0;
        if !thaws && place != self.next {
            return Err(FoldError::Damaged(format!("expected the entry at place {}", self.next)));
        }
        if link(self.hash, body) != hash {
            return Err(FoldError::Damaged("its hash does not follow from the entry before it".to_owned()));
        }
        let entry: Entry = serde_json::from_slice(body)
            .map_err(|e| FoldError::Damaged(format!("it cannot be parsed as an entry: {e}")))?;
        self.next = place;
        match &entry.snapshot {
            None if thaws => {
                return Err(FoldError::Damaged(
                    "it is the first entry of the tail, but contains no snapshot".to_owned(),
                ));
            }
            Some(snapshot) if thaws => {
                self.restore(snapshot)?;
                self.at_ms = entry.at_ms;
                self.lease_from_ms = entry.lease.as_ref().map(|_| entry.at_ms);
                self.count(body.len(), Some(snapshot.get().len()));
            }
            snapshot => {
                let bytes = snapshot.as_ref().map(|s| s.get().len());
                self.apply(&entry)?;
                self.count(body.len(), bytes);
            }
        }
        self.next = place + 1;
        self.hash = hash;
        self.is_signed = split(body).is_some();
        Ok(())
    }

    /// Updates the counts since the last snapshot for an applied entry of this size, with or without a snapshot.
    pub(crate) fn count(&mut self, bytes: usize, snapshot: Option<usize>) {
        match snapshot {
            Some(size) => {
                self.since_snapshot = (0, 0);
                self.snapshot_bytes = size;
            }
            None => {
                self.since_snapshot.0 += 1;
                self.since_snapshot.1 += bytes;
            }
        }
    }

    /// Applies an entry, whose place is `self.next`, to the state.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Result<(), FoldError> {
        let place = self.next;
        if self.ended && !matches!(entry.event, Event::Adopted { .. }) {
            return Err(FoldError::Damaged("the thread ended before it".to_owned()));
        }
        self.at_ms = entry.at_ms;
        self.take_lease(entry.lease.as_ref(), entry.at_ms);
        match &entry.event {
            Event::Started { .. } if !self.lanes.is_empty() => {
                return Err(FoldError::Damaged("the thread started earlier".to_owned()));
            }
            Event::Started { graph, print, version, id, input, to, requester, .. } => {
                self.requester = requester.as_ref().map(|requester| requester.operator.as_str().into());
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
                    (None, Some(snapshot)) => self.restore(snapshot)?,
                    (None, None) => {
                        return Err(FoldError::Damaged(
                            "it does not record where the thread starts".to_owned(),
                        ));
                    }
                }
            }
            Event::Ran { node, lane, wrote, to } => {
                self.take(*lane, wrote, Some(SourceRef::After(node)))?;
                return self.ran(*lane, to);
            }
            Event::Began { lane, key, .. } => {
                let lane = self.lane(*lane)?;
                lane.sources.act();
                let activation = moved(&mut lane.at)?;
                lane.spend(&activation);
                lane.at = LaneState::Began { activation, key: key.clone(), place };
            }
            Event::Paused {
                lane,
                field,
                digest,
                role,
                deadline_ms,
                remind_ms,
                covers,
                shows,
                proposed,
                edit,
                ..
            } => {
                self.opened(*lane, field);
                let at = &mut self.lane(*lane)?.at;
                // If new code requires another review of a signed draft, the earlier signature no longer counts.
                let activation = Activation { signed: false, ..moved(at)? };
                *at = LaneState::Paused(Box::new(OpenReviewState {
                    activation,
                    field: field.clone(),
                    place,
                    digest: *digest,
                    role: role.clone(),
                    opened_ms: entry.at_ms,
                    deadline_ms: *deadline_ms,
                    remind_ms: *remind_ms,
                    reminded: 0,
                    proposed: proposed.clone(),
                    covers: covers.clone(),
                    shows: shows.clone(),
                    edit: *edit,
                }));
            }
            Event::Reminded { lane, times, .. } => match &mut self.lane(*lane)?.at {
                LaneState::Paused(open) => open.reminded = *times,
                _ => return Err(FoldError::Damaged("it is about a review that is not open".to_owned())),
            },
            Event::Decided { lane, verdict, operator, unverified, to, proposal, .. } => {
                self.reset_steps(*lane);
                let by = Proposer { operator: operator.clone(), unverified: *unverified, edit: place };
                self.decide(*lane, verdict, by, to, proposal.as_deref())?;
            }
            Event::Failed { lane, error, again_ms, .. } => {
                let at = &mut self.lane(*lane)?.at;
                let mut activation = moved(at)?;
                *at = match again_ms {
                    Some(_) => {
                        activation.failures += 1;
                        LaneState::Ready { activation, again_ms: *again_ms }
                    }
                    None => LaneState::Failed {
                        activation,
                        since_ms: entry.at_ms,
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
                    since_ms: entry.at_ms,
                    error: error.clone(),
                };
            }
            Event::Settled { lane, how, operator, to, .. } => {
                self.reset_steps(*lane);
                self.settle(*lane, how, operator, to.as_ref(), entry.at_ms)?;
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
                        lane.at = LaneState::Ready { activation, again_ms: None };
                    }
                }
            }
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

    /// Returns how many nodes have finished since a person last acted on the thread: in the item of the `for` that a
    /// lane is inside of, or outside of every `for`.
    pub(crate) fn steps(&self, lane: LaneId) -> u64 {
        self.item_around(lane).and_then(|item| self.lanes.get(&item)).map_or(self.steps, |item| item.steps)
    }

    fn item_around(&self, lane: LaneId) -> Option<LaneId> {
        self.items(lane).next().map(|(item, ..)| item)
    }

    /// Counts the steps from here on: a person has acted on a lane.
    fn reset_steps(&mut self, lane: LaneId) {
        self.steps = 0;
        if let Some(item) = self.item_around(lane).and_then(|item| self.lanes.get_mut(item)) {
            item.steps = 0;
        }
    }

    /// Sets the lease, if the entry has one.
    pub(crate) fn take_lease(&mut self, lease: Option<&Lease>, at_ms: u64) {
        if let Some(lease) = lease {
            self.lease = Some(lease.clone());
            (self.lease_from_ms, self.lease_ends_ms) = (Some(at_ms), None);
        }
    }

    /// Returns the end of the lease. If the clock of the runner is ahead of this process's clock, the time is bounded
    /// by this process's clock.
    pub(crate) fn leased_until_ms(&self) -> Option<u64> {
        let until_ms = self.lease.as_ref()?.until_ms;
        Some(self.lease_ends_ms.map_or(until_ms, |ends| ends.min(until_ms)))
    }

    /// Removes the lease if no runner can act on the thread.
    fn release(&mut self) {
        self.lanes.reindex();
        if self.lease.is_some() && !self.runs() {
            self.lease = None;
        }
    }

    /// Applies a verdict. `by` has the operator, and the place of the verdict's entry.
    fn decide(
        &mut self,
        id: LaneId,
        verdict: &Decision,
        by: Proposer,
        to: &Transition,
        proposal: Option<&Proposal>,
    ) -> Result<(), FoldError> {
        let place = by.edit;
        match (proposal, verdict, self.lanes.get(&id).map(|lane| &lane.at)) {
            (None, ..) | (Some(Proposal::Made { .. }), Decision::Edit { .. }, _) => {}
            (Some(Proposal::Signed { edit }), Decision::Approve, Some(LaneState::Paused(open))) => {
                self.may_sign(id, open, &by.operator, *edit, self.at_ms)?;
            }
            _ => return Err(FoldError::Damaged("its verdict and its proposal do not match".to_owned())),
        }
        let lane = self.lane(id)?;
        // `arrive` sets the position below. On an error before that, the thread is unreadable and the fold is
        // discarded.
        let LaneState::Paused(open) = std::mem::replace(&mut lane.at, LaneState::Ended) else {
            return Err(FoldError::Damaged("it decides a review that is not open".to_owned()));
        };
        let OpenReviewState {
            activation,
            field,
            place: opened,
            digest: seen,
            role,
            covers,
            shows,
            deadline_ms,
            ..
        } = *open;
        let (covered, shown) = (covers.clone(), lane.fields.values_of(&shows)?);
        let node = activation.node.clone();
        let sign = |digest| Signature {
            node: activation.node,
            place: opened,
            operator: by.operator.clone(),
            role,
            digest,
            covers,
            shows,
            spent: BTreeMap::new(),
        };
        // The rejection or question that led to the node stays available to its run.
        let mut feedback = activation.feedback;
        let mut signed = matches!(verdict, Decision::Approve | Decision::Edit { .. });
        if let Decision::Reject { .. } = verdict {
            lane.sources.refuse(&field);
        }
        if !signed {
            // A rejection or a question removes an earlier signature on the same field.
            Arc::make_mut(&mut lane.signatures).remove(&field);
        }
        self.answered(id, &field, matches!(verdict, Decision::Ask { .. }));
        let lane = self.lane(id)?;
        match verdict {
            Decision::Approve => {
                Arc::make_mut(&mut lane.signatures).insert(field, sign(seen));
            }
            Decision::Edit { after, .. } if let Some(Proposal::Made { roles, until_ms, .. }) = proposal => {
                self.take(id, &Values::from([(field.clone(), after.clone())]), None)?;
                let (roles, draft) = (roles.clone(), after.clone());
                let mut before = vec![node];
                if let Transition::Node(to) = to
                    && !before.contains(to)
                {
                    before.push(to.clone());
                }
                let until_ms = until_ms.iter().chain(&deadline_ms).min().copied();
                self.propose(
                    id,
                    Pending {
                        field,
                        by,
                        opened,
                        roles,
                        draft,
                        shown,
                        covered,
                        before,
                        until_ms,
                        signs: true,
                    },
                )?;
                (signed, feedback) = (false, None);
            }
            Decision::Edit { after, signed, .. } => {
                self.take(id, &Values::from([(field.clone(), after.clone())]), None)?;
                Arc::make_mut(&mut self.lane(id)?.signatures).insert(field, sign(*signed));
            }
            Decision::Reject { reason, note } => {
                feedback = Some(Box::new(Feedback::Rejection(Rejection {
                    reason: *reason,
                    note: note.clone(),
                    operator: by.operator,
                    draft: migrate::draft(lane, &field)?,
                })));
            }
            Decision::Ask { question } => {
                feedback = Some(Box::new(Feedback::Question(Question {
                    text: question.clone(),
                    operator: by.operator,
                    draft: migrate::draft(lane, &field)?,
                })));
            }
        }
        self.arrive(id, to, place, signed, feedback)
    }

    fn settle(
        &mut self,
        id: LaneId,
        how: &Settlement,
        operator: &str,
        to: Option<&Transition>,
        at_ms: u64,
    ) -> Result<(), FoldError> {
        let place = self.next;
        let at = &mut self.lane(id)?.at;
        if !matches!(at, LaneState::InDoubt { .. }) {
            return Err(FoldError::Damaged("it settles an effect that is not in doubt".to_owned()));
        }
        let activation = moved(at)?;
        match how {
            Settlement::Happened { wrote } => {
                let to = to.ok_or_else(|| {
                    FoldError::Damaged("it does not record where the thread continues".to_owned())
                })?;
                if activation.signed {
                    self.lane(id)?.sources.done(&activation.node);
                }
                self.take(id, wrote, Some(SourceRef::After(&activation.node)))?;
                self.arrive(id, to, place, false, None)
            }
            Settlement::RunAgain => {
                self.lane(id)?.at = LaneState::Ready { activation, again_ms: None };
                Ok(())
            }
            Settlement::Stop { note } => {
                let error = if note.is_empty() {
                    format!("stopped by {operator}")
                } else {
                    format!("stopped by {operator}: {note}")
                };
                self.lane(id)?.at = LaneState::Failed { activation, since_ms: at_ms, error, stopped: true };
                Ok(())
            }
        }
    }

    /// Writes the values of a node that has just finished to its lane. `back` has those of them that were read back
    /// from their JSON.
    pub(crate) fn write(
        &mut self,
        lane: LaneId,
        node: &str,
        wrote: FieldWrites<'_>,
        mut back: Vec<ReadBack>,
    ) -> Result<(), FoldError> {
        let place = self.next;
        let lane = self.lane(lane)?;
        for (field, json) in wrote {
            let back = back.iter().position(|back| back.is_of(field)).map(|i| back.swap_remove(i));
            lane.write(Write { field, json, replaces: false, place }, back)?;
            lane.sources.wrote(field, SourceRef::After(node));
        }
        Ok(())
    }

    /// Writes the values of an entry, which may be of an older version of the state, to a lane. Values with a source go
    /// through the reducers; values without one replace the fields' values.
    fn take(&mut self, lane: LaneId, wrote: &Values, source: Option<SourceRef<'_>>) -> Result<(), FoldError> {
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
                self.lane(id)?.at = LaneState::Ready { activation, again_ms: None };
            }
            Transition::End => self.lane(id)?.at = LaneState::Ended,
            Transition::Fork { heads, join } => self.fork(id, heads, join, place)?,
            Transition::Each(each) => self.each(id, each, place)?,
            Transition::Join => self.reach_join(id, place)?,
        }
        Ok(())
    }

    pub(super) fn lane(&mut self, id: LaneId) -> Result<&mut Lane, FoldError> {
        self.lanes
            .get_mut(id)
            .ok_or_else(|| FoldError::Damaged(format!("it is about lane {id}, which is not open")))
    }

    /// Returns the root lane, which exists from the first entry on.
    pub(crate) fn root(&self) -> Option<&Lane> {
        self.lanes.get(&ROOT).map(Box::as_ref)
    }

    /// Returns whether a runner holds a lease on the thread at this time.
    pub(crate) fn is_leased(&self, now_ms: u64) -> bool {
        self.leased_until_ms().is_some_and(|until_ms| until_ms > now_ms)
    }

    /// Returns whether the thread is at the end of its graph, but has no [`Event::Ended`] yet.
    pub(crate) fn is_at_end(&self) -> bool {
        !self.ended && self.root().is_some_and(|lane| lane.at == LaneState::Ended)
    }

    /// Returns whether a runner can act on the thread. In a stopped thread no node starts, and only effects that have
    /// begun are completed.
    pub(crate) fn runs(&self) -> bool {
        self.lanes.has_begun() || (self.lanes.has_ready() && self.stop().is_none())
    }

    /// Returns the node at which an operator stopped the thread, and the message. One stopped lane stops the whole
    /// thread.
    pub(crate) fn stop(&self) -> Option<(&str, &str)> {
        match &self.lanes.stopped()?.at {
            LaneState::Failed { activation, error, .. } => Some((activation.node.as_str(), error.as_str())),
            _ => None,
        }
    }

    /// Returns the open reviews and their lanes. A stopped thread has none, because its reviews cannot be decided.
    pub(crate) fn open(&self) -> impl Iterator<Item = (LaneId, &OpenReviewState)> {
        let stopped = self.stop().is_some();
        self.paused().filter(move |_| !stopped)
    }

    /// Returns the person whose pending edit proposed the value of a field in a lane.
    pub(crate) fn proposer(&self, lane: LaneId, field: &str) -> Option<Proposer> {
        let pending = self.lanes.get(&lane)?.pending.as_deref()?;
        (pending.field == field).then(|| pending.by.clone())
    }

    /// Returns the open reviews and their lanes, even if the thread is stopped.
    pub(crate) fn paused(&self) -> impl Iterator<Item = (LaneId, &OpenReviewState)> {
        self.lanes.paused().filter_map(|(id, lane)| match &lane.at {
            LaneState::Paused(open) => Some((id, &**open)),
            _ => None,
        })
    }
}

/// Takes the activation that an entry ends or changes out of the lane. The caller must set the lane's new position.
fn moved(at: &mut LaneState) -> Result<Activation, FoldError> {
    std::mem::replace(at, LaneState::Ended)
        .into_activation()
        .ok_or_else(|| FoldError::Damaged("it is about a node that the lane is not at".to_owned()))
}
