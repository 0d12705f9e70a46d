//! The fold of a journal: reads the entries of a thread in order, verifies their hashes, and derives the thread's
//! state.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use super::{
    Digest, Entry, FoldError, Lane, LaneId, LaneState, Lanes, Lease, Place, Proposer, ROOT, Requesters, Stop,
    StopKind, Unmigrated, entry, genesis, lane_state::OpenReviewState, link, split,
};
use crate::{ThreadId, Timestamp, graph::NodeSpec, state::FieldError, state::Slots, state::StateTable};

/// The state of a thread after its last entry.
pub struct Fold {
    pub(crate) state: &'static StateTable,
    /// The state's fields, all unwritten: strict ones, or lenient ones for a thread that may not fit the state.
    pub(super) unwritten: Arc<Slots>,
    /// The first failed migration, if the fields are lenient.
    pub(super) unmigrated: OnceLock<Unmigrated>,
    /// The thread.
    pub thread: ThreadId,
    /// The name of the graph that the thread was started on, and the fingerprint of the code that the thread last ran
    /// under.
    pub(crate) graph: String,
    pub(crate) print: String,
    /// The version of the state under which the last entry was written.
    pub(crate) version: u32,
    /// A random id that distinguishes this thread from a deleted one of the same name.
    pub(crate) id: Arc<str>,
    /// The people who have asked for what the thread does.
    pub(crate) requesters: Arc<Requesters>,
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
    pub(crate) lease_from: Option<Timestamp>,
    /// The end of the lease by this process's clock, if the clock of the process that set it is ahead.
    pub(crate) lease_ends: Option<Timestamp>,
    /// The number of nodes that have finished since a person last acted on the thread.
    pub(crate) steps: u64,
    pub(crate) ended: bool,
    /// The stop of the thread that is in force.
    pub(crate) stop: Option<Box<Stop>>,
    /// `true` if the thread was forked from another one, which may have run the same effects, or if that is not known. No
    /// rule signs in it.
    pub(crate) is_fork: bool,
    /// The time at which the last entry was written.
    pub(crate) at: Timestamp,
    /// The number of entries and their bytes since the last snapshot, and the size of that snapshot in bytes.
    pub(crate) since_snapshot: (usize, usize),
    pub(crate) snapshot_bytes: usize,
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
            requesters: Arc::default(),
            is_stored: true,
            is_signed: false,
            is_tail: false,
            next: Place::START,
            lanes: Lanes::default(),
            lanes_made: 0,
            lease: None,
            lease_from: None,
            lease_ends: None,
            steps: 0,
            ended: false,
            stop: None,
            is_fork: false,
            at: Timestamp::UNIX_EPOCH,
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
                self.at = entry.at;
                self.lease_from = entry.lease.as_ref().map(|_| entry.at);
                self.count(body.len(), Some(snapshot.get().len()));
            }
            snapshot => {
                let bytes = snapshot.as_ref().map(|s| s.get().len());
                self.apply(&entry)?;
                if let Some(snapshot) = snapshot.as_ref().filter(|_| place > 0) {
                    // A process that reads on from here knows as little as it says.
                    self.forget_unsaid(snapshot);
                }
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

    /// Returns how many nodes have finished since a person last acted on the thread: in the item of the `for` that a
    /// lane is inside of, or outside of every `for`.
    pub(crate) fn steps(&self, lane: LaneId) -> u64 {
        self.item_around(lane).and_then(|item| self.lanes.get(&item)).map_or(self.steps, |item| item.steps)
    }

    /// Returns the number of a node's next run in a lane, if its runs are counted.
    pub(crate) fn next_run(&self, lane: LaneId, node: Option<&NodeSpec>) -> Option<u32> {
        let node = node.filter(|node| node.counted)?;
        Some(self.lanes.get(&lane)?.runs.of(node.name).saturating_add(1))
    }

    pub(super) fn item_around(&self, lane: LaneId) -> Option<LaneId> {
        self.items(lane).next().map(|(item, ..)| item)
    }

    /// Returns the end of the lease. If the clock of the runner is ahead of this process's clock, the time is bounded
    /// by this process's clock.
    pub(crate) fn leased_until(&self) -> Option<Timestamp> {
        let until = self.lease.as_ref()?.until;
        Some(self.lease_ends.map_or(until, |ends| ends.min(until)))
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
    pub(crate) fn is_leased(&self, now: Timestamp) -> bool {
        self.leased_until().is_some_and(|until| until > now)
    }

    /// Returns whether the thread is at the end of its graph, but has no [`Event::Ended`] yet.
    pub(crate) fn is_at_end(&self) -> bool {
        !self.ended && !self.is_cancelled() && self.root().is_some_and(|lane| lane.at == LaneState::Ended)
    }

    /// Returns whether a runner can act on the thread. In a stopped thread no node starts, and only effects that have
    /// begun are completed.
    pub(crate) fn runs(&self) -> bool {
        self.lanes.has_begun() || (self.lanes.has_ready() && !self.is_stopped())
    }

    /// Returns whether a runner is to act on the thread, or to record its end: an entry of a process that does not run
    /// nodes may have led there.
    pub(crate) fn needs_runner(&self) -> bool {
        self.runs() || self.is_at_end()
    }

    /// Returns whether no node of the thread may begin: for now, because it is paused, or for good.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_some() || self.settled_stop().is_some()
    }

    /// Returns whether no node of the thread begins any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_cancelled() || self.settled_stop().is_some()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.kind == StopKind::Cancel)
    }

    /// Returns what an operator said who stopped the thread as a settlement of a doubt. One stopped lane stops the whole
    /// thread.
    pub(crate) fn settled_stop(&self) -> Option<&str> {
        match &self.lanes.stopped()?.at {
            LaneState::Failed { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Returns the open reviews and their lanes. A closed thread has none, because its reviews cannot be decided.
    pub(crate) fn open(&self) -> impl Iterator<Item = (LaneId, &OpenReviewState)> {
        let closed = self.is_closed();
        self.paused().filter(move |_| !closed)
    }

    /// Returns whether a rule may have signed the value of a field in a lane at this place: no person had been asked about
    /// it, and the thread is not a fork.
    pub(crate) fn may_have_signed_by_rule(&self, lane: &Lane, field: &str, place: Place) -> bool {
        !self.is_fork && lane.sources.asked_at(field).is_none_or(|asked| asked >= place)
    }

    /// Returns whether a rule may sign the value of a field in a lane now: moreover, it is no edit of a draft that a person
    /// has rejected.
    pub(crate) fn may_sign_by_rule(&self, lane: &Lane, field: &str) -> bool {
        self.may_have_signed_by_rule(lane, field, self.next) && !lane.sources.is_refused(field)
    }

    /// Returns the person whose pending edit proposed the value of a field in a lane.
    pub(crate) fn proposer(&self, lane: LaneId, field: &str) -> Option<Proposer> {
        let pending = self.lanes.get(&lane)?.pending.as_deref()?;
        (pending.field == field).then(|| pending.by.clone())
    }

    /// Returns the open reviews and their lanes, even if the thread is closed.
    pub(crate) fn paused(&self) -> impl Iterator<Item = (LaneId, &OpenReviewState)> {
        self.lanes.paused().filter_map(|(id, lane)| match &lane.at {
            LaneState::Paused(open) => Some((id, &**open)),
            _ => None,
        })
    }
}

impl fmt::Debug for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fold").field("thread", &self.thread).field("next", &self.next).finish_non_exhaustive()
    }
}
