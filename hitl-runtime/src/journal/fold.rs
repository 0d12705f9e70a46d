//! Reading a thread off its entries.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::value::RawValue;

use super::{
    At, Decision, Digest, Entry, Event, Lane, LaneId, Lease, Pending, Place, Proposal, Proposer, Question,
    ROOT, Rejection, Settlement, Signature, Source, Sources, To, Values,
    at::{Brings, OpenAt, Visit},
    entry, genesis, link, migrate, split,
};
use crate::{
    ThreadId,
    guard::Broken,
    state::{FieldError, State},
};

/// How a thread stands after its last entry.
pub(crate) struct Fold<S: State> {
    pub(crate) thread: ThreadId,
    /// The graph that the thread was started on, and the fingerprint of the code that it met last.
    pub(crate) graph: String,
    pub(crate) print: String,
    /// The version of the state that the last entry was written under.
    pub(crate) version: u32,
    /// Tells this thread from a deleted one of the same name.
    pub(crate) id: Arc<str>,
    /// Who started the thread, where that is known.
    pub(crate) requester: Option<Arc<str>>,
    /// Whether it is what the store has, and not already what this program makes of it.
    pub(crate) is_stored: bool,
    /// Whether the last entry has a MAC.
    pub(crate) is_signed: bool,
    /// Whether it is read from a snapshot on, and not from its first entry.
    is_tail: bool,
    /// The place that the next entry will fill.
    pub(crate) next: Place,
    /// The hash of the last entry.
    pub(crate) hash: Digest,
    pub(crate) lanes: BTreeMap<LaneId, Box<Lane<S::Fields>>>,
    pub(super) lanes_made: LaneId,
    pub(crate) lease: Option<Lease>,
    /// When the entry that set the lease was written; unknown where only a snapshot says the lease.
    pub(crate) lease_from_ms: Option<u64>,
    /// When the lease ends by this process's clock, where the clock that set it is ahead.
    pub(crate) lease_ends_ms: Option<u64>,
    /// Nodes run since a person last moved the thread.
    pub(crate) steps: u64,
    pub(crate) ended: bool,
    /// When the last entry was written.
    pub(crate) at_ms: u64,
    /// Entries and bytes since the last snapshot, and the bytes of that snapshot.
    pub(crate) since_snapshot: (usize, usize),
    pub(crate) snapshot_bytes: usize,
}

/// Why entries could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FoldError {
    /// The bytes are not what was written.
    #[error("{0}")]
    Damaged(String),
    /// The entry does not fit this program's state.
    #[error("{0}")]
    Changed(#[from] FieldError),
    /// The function behind `#[state(migrate = …)]` could not take it.
    #[error("{problem}")]
    Unmigrated { from: u32, problem: String },
}

impl FoldError {
    /// The user's code that is broken, where that is why.
    pub(crate) fn as_broken(&self) -> Option<Broken> {
        match self {
            Self::Changed(error) => error.as_broken(),
            Self::Damaged(_) | Self::Unmigrated { .. } => None,
        }
    }
}

impl<S: State> Fold<S> {
    /// A thread with no entries.
    pub(crate) fn empty(thread: ThreadId) -> Self {
        Self {
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
            lanes: BTreeMap::new(),
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

    /// A thread whose entries are read from its newest snapshot on: the first one follows the entry with this hash.
    /// `None` where the first one stands at place 0.
    pub(crate) fn after(thread: ThreadId, before: Option<Digest>) -> Self {
        let empty = Self::empty(thread);
        let hash = before.unwrap_or(empty.hash);
        Self { is_tail: before.is_some(), hash, ..empty }
    }

    /// Reads one stored entry. The first one stands at place 0, or holds a snapshot where the fold is of a tail.
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
            .map_err(|e| FoldError::Damaged(format!("it is no entry that this program can read: {e}")))?;
        self.next = place;
        match &entry.snapshot {
            None if thaws => {
                return Err(FoldError::Damaged(
                    "it is to be read from here on, and holds no snapshot".to_owned(),
                ));
            }
            Some(snapshot) if thaws => {
                self.thaw(snapshot)?;
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

    /// Counts an entry that has been applied.
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

    /// Moves the thread as the entry says. The entry stands at `self.next`.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Result<(), FoldError> {
        let place = self.next;
        if self.ended && !matches!(entry.event, Event::Adopted { .. }) {
            return Err(FoldError::Damaged("the thread had ended before it".to_owned()));
        }
        self.at_ms = entry.at_ms;
        self.take_lease(entry.lease.as_ref(), entry.at_ms);
        match &entry.event {
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
                        self.lanes.insert(ROOT, Lane::new(S::Fields::default(), None, At::Joined));
                        self.lanes_made = 1;
                        self.lane(ROOT)?.sources = Sources::beginning(Source::Start);
                        self.take(ROOT, input, Some(&Source::Start))?;
                        self.arrive(ROOT, to, place, false, None)?;
                    }
                    (None, Some(snapshot)) => self.thaw(snapshot)?,
                    (None, None) => {
                        return Err(FoldError::Damaged("it says not where the thread starts".to_owned()));
                    }
                }
            }
            Event::Ran { node, lane, wrote, to } => {
                self.take(*lane, wrote, Some(&Source::After(node.clone())))?;
                return self.ran(*lane, to);
            }
            Event::Began { lane, key, .. } => {
                let lane = self.lane(*lane)?;
                lane.sources.act();
                let visit = moved(&mut lane.at)?;
                lane.spend(&visit);
                lane.at = At::Began { visit, key: key.clone(), place };
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
                // Where new code asks again for what was signed already, it is not signed any more.
                let visit = Visit { signed: false, ..moved(at)? };
                *at = At::Paused(Box::new(OpenAt {
                    visit,
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
                At::Paused(open) => open.reminded = *times,
                _ => return Err(FoldError::Damaged("it is about a review that is not open".to_owned())),
            },
            Event::Decided { lane, verdict, operator, unverified, to, proposal, .. } => {
                self.steps = 0;
                let by = Proposer { operator: operator.clone(), unverified: *unverified, edit: place };
                self.decide(*lane, verdict, by, to, proposal.as_deref())?;
            }
            Event::Failed { lane, error, again_ms, .. } => {
                let at = &mut self.lane(*lane)?.at;
                let mut visit = moved(at)?;
                *at = match again_ms {
                    Some(_) => {
                        visit.failures += 1;
                        At::Ready { visit, again_ms: *again_ms }
                    }
                    None => At::Failed { visit, since_ms: entry.at_ms, error: error.clone(), stopped: false },
                };
            }
            Event::InDoubt { lane, key, error, .. } => {
                let at = &mut self.lane(*lane)?.at;
                let (visit, began) = match at {
                    At::Began { visit, place, .. } => (visit.clone(), *place),
                    _ => return Err(FoldError::Damaged("it doubts what had not begun".to_owned())),
                };
                *at = At::InDoubt {
                    visit,
                    key: key.clone(),
                    place: began,
                    since_ms: entry.at_ms,
                    error: error.clone(),
                };
            }
            Event::Settled { lane, how, operator, to, .. } => {
                self.steps = 0;
                self.settle(*lane, how, operator, to.as_ref(), entry.at_ms)?;
            }
            Event::Migrated { print, version, renamed, void } => self.meet(print, *version, renamed, void),
            Event::Resumed { .. } => {
                self.steps = 0;
                for lane in self.lanes.values_mut() {
                    if let At::Failed { visit, stopped: false, .. } = &lane.at {
                        let visit = Visit { failures: 0, ..visit.clone() };
                        lane.at = At::Ready { visit, again_ms: None };
                    }
                }
            }
            Event::Renewed {} | Event::Adopted { .. } => {}
            Event::Ended {} => self.ended = true,
        }
        self.release();
        Ok(())
    }

    /// Moves a lane on whose node has finished, and whose fields are written.
    pub(crate) fn ran(&mut self, lane: LaneId, to: &To) -> Result<(), FoldError> {
        self.steps += 1;
        let of = self.lane(lane)?;
        if let Some(visit) = of.at.visit().filter(|visit| visit.signed) {
            of.sources.done(&visit.node);
        }
        self.arrive(lane, to, self.next, false, None)?;
        self.release();
        Ok(())
    }

    /// Takes an entry's lease, if it says one.
    pub(crate) fn take_lease(&mut self, lease: Option<&Lease>, at_ms: u64) {
        if let Some(lease) = lease {
            self.lease = Some(lease.clone());
            (self.lease_from_ms, self.lease_ends_ms) = (Some(at_ms), None);
        }
    }

    /// Until when a runner has the thread, as far as this process may rely on the runner's clock.
    pub(crate) fn leased_until_ms(&self) -> Option<u64> {
        let until_ms = self.lease.as_ref()?.until_ms;
        Some(self.lease_ends_ms.map_or(until_ms, |ends| ends.min(until_ms)))
    }

    /// A thread that rests belongs to nobody.
    fn release(&mut self) {
        if self.lease.is_some() && !self.runs() {
            self.lease = None;
        }
    }

    /// `by` says who decided, and at which place.
    fn decide(
        &mut self,
        id: LaneId,
        verdict: &Decision,
        by: Proposer,
        to: &To,
        proposal: Option<&Proposal>,
    ) -> Result<(), FoldError> {
        let place = by.edit;
        match (proposal, verdict, self.lanes.get(&id).map(|lane| &lane.at)) {
            (None, ..) | (Some(Proposal::Made { .. }), Decision::Edit { .. }, _) => {}
            (Some(Proposal::Signed { edit }), Decision::Approve, Some(At::Paused(open))) => {
                self.may_sign(id, open, &by.operator, *edit, self.at_ms)?;
            }
            _ => return Err(FoldError::Damaged("its verdict and what it proposes do not agree".to_owned())),
        }
        let lane = self.lane(id)?;
        // The lane goes on below, or the thread cannot be read.
        let At::Paused(open) = std::mem::replace(&mut lane.at, At::Ended) else {
            return Err(FoldError::Damaged("it decides a review that is not open".to_owned()));
        };
        let OpenAt { visit, field, place: opened, digest: seen, role, covers, shows, deadline_ms, .. } =
            *open;
        let (covered, shown) = (covers.clone(), super::proposal::values_of(&shows, &*lane.fields)?);
        let node = visit.node.clone();
        let sign = |digest| Signature {
            node: visit.node,
            place: opened,
            operator: by.operator.clone(),
            role,
            digest,
            covers,
            shows,
            spent: BTreeMap::new(),
        };
        // What led to the node goes on with it to its run.
        let mut brings = visit.brings;
        let mut signed = matches!(verdict, Decision::Approve | Decision::Edit { .. });
        if let Decision::Reject { .. } = verdict {
            lane.sources.refuse(&field);
        }
        if !signed {
            // An earlier signature does not outlive a later "no", or a question.
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
                if let To::Node(to) = to
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
                (signed, brings) = (false, None);
            }
            Decision::Edit { after, signed, .. } => {
                self.take(id, &Values::from([(field.clone(), after.clone())]), None)?;
                Arc::make_mut(&mut self.lane(id)?.signatures).insert(field, sign(*signed));
            }
            Decision::Reject { reason, note } => {
                brings = Some(Box::new(Brings::Rejection(Rejection {
                    reason: *reason,
                    note: note.clone(),
                    operator: by.operator,
                    draft: migrate::draft::<S>(lane, &field)?,
                })));
            }
            Decision::Ask { question } => {
                brings = Some(Box::new(Brings::Question(Question {
                    text: question.clone(),
                    operator: by.operator,
                    draft: migrate::draft::<S>(lane, &field)?,
                })));
            }
        }
        self.arrive(id, to, place, signed, brings)
    }

    fn settle(
        &mut self,
        id: LaneId,
        how: &Settlement,
        operator: &str,
        to: Option<&To>,
        at_ms: u64,
    ) -> Result<(), FoldError> {
        let place = self.next;
        let at = &mut self.lane(id)?.at;
        if !matches!(at, At::InDoubt { .. }) {
            return Err(FoldError::Damaged("it settles an effect that is not in doubt".to_owned()));
        }
        let visit = moved(at)?;
        match how {
            Settlement::Happened { wrote } => {
                let to =
                    to.ok_or_else(|| FoldError::Damaged("it says not where the thread goes on".to_owned()))?;
                if visit.signed {
                    self.lane(id)?.sources.done(&visit.node);
                }
                self.take(id, wrote, Some(&Source::After(visit.node)))?;
                self.arrive(id, to, place, false, None)
            }
            Settlement::RunAgain => {
                self.lane(id)?.at = At::Ready { visit, again_ms: None };
                Ok(())
            }
            Settlement::Stop { note } => {
                let error = if note.is_empty() {
                    format!("stopped by {operator}")
                } else {
                    format!("stopped by {operator}: {note}")
                };
                self.lane(id)?.at = At::Failed { visit, since_ms: at_ms, error, stopped: true };
                Ok(())
            }
        }
    }

    /// Puts what a node wrote just now into its lane.
    pub(crate) fn write<'a>(
        &mut self,
        lane: LaneId,
        node: &str,
        mut wrote: impl Iterator<Item = (&'a str, &'a RawValue)>,
    ) -> Result<(), FoldError> {
        let (place, source) = (self.next, Source::After(node.to_owned()));
        let lane = self.lane(lane)?;
        Ok(wrote.try_for_each(|(field, json)| lane.take_from(&S::SPEC, field, json, &source, place))?)
    }

    /// Puts values into a lane that may be of an older version: through the reducers, or, where no node wrote them, in
    /// place of what is there.
    fn take(&mut self, lane: LaneId, wrote: &Values, source: Option<&Source>) -> Result<(), FoldError> {
        let (place, older) = (self.next, self.is_older());
        let updated = self.updated(wrote)?;
        let lane = self.lane(lane)?;
        for (field, json) in &*updated {
            match source {
                Some(source) => lane.take_from(&S::SPEC, field, json, source, place)?,
                None => lane.take(&S::SPEC, field, json, true, place)?,
            }
        }
        if older {
            lane.keep(wrote);
        }
        Ok(())
    }

    /// A lane comes to a node, a fork, a `for`, its join or the end.
    pub(super) fn arrive(
        &mut self,
        id: LaneId,
        to: &To,
        place: Place,
        signed: bool,
        brings: Option<Box<Brings>>,
    ) -> Result<(), FoldError> {
        match to {
            To::Node(node) => {
                let visit = Visit { signed, brings, ..Visit::to(node, place) };
                self.lane(id)?.at = At::Ready { visit, again_ms: None };
            }
            To::End => self.lane(id)?.at = At::Ended,
            To::Fork { heads, join } => self.fork(id, heads, join, place)?,
            To::Each(each) => self.each(id, each, place)?,
            To::Join => self.come_to_join(id, place)?,
        }
        Ok(())
    }

    pub(super) fn lane(&mut self, id: LaneId) -> Result<&mut Lane<S::Fields>, FoldError> {
        self.lanes
            .get_mut(&id)
            .map(Box::as_mut)
            .ok_or_else(|| FoldError::Damaged(format!("it is about lane {id}, which is not open")))
    }

    /// The root lane; there is one from the first entry on.
    pub(crate) fn root(&self) -> Option<&Lane<S::Fields>> {
        self.lanes.get(&ROOT).map(Box::as_ref)
    }

    /// Whether a runner has the thread at this time.
    pub(crate) fn is_leased(&self, now_ms: u64) -> bool {
        self.leased_until_ms().is_some_and(|until_ms| until_ms > now_ms)
    }

    /// Whether the thread has come to its end, though no entry says so yet.
    pub(crate) fn is_at_end(&self) -> bool {
        !self.ended && self.root().is_some_and(|lane| lane.at == At::Ended)
    }

    /// Whether a runner has something to do. In a thread that a person has stopped nothing begins any more, and only what
    /// has begun is seen to its end.
    pub(crate) fn runs(&self) -> bool {
        let stopped = self.stop().is_some();
        self.lanes.values().any(|lane| match &lane.at {
            At::Began { .. } => true,
            at => !stopped && at.is_active(),
        })
    }

    /// The node at which a person has stopped the thread, and what they said. One lane that is stopped stops all.
    pub(crate) fn stop(&self) -> Option<(&str, &str)> {
        self.lanes.values().find_map(|lane| match &lane.at {
            At::Failed { visit, error, stopped: true, .. } => Some((visit.node.as_str(), error.as_str())),
            _ => None,
        })
    }

    /// The open reviews and the lanes that they stand in. Nobody decides one of a thread that a person has stopped.
    pub(crate) fn open(&self) -> impl Iterator<Item = (LaneId, &OpenAt)> {
        let stopped = self.stop().is_some();
        self.paused().filter(move |_| !stopped)
    }

    /// The same, stopped or not.
    pub(crate) fn paused(&self) -> impl Iterator<Item = (LaneId, &OpenAt)> {
        self.lanes.iter().filter_map(|(id, lane)| match &lane.at {
            At::Paused(open) => Some((*id, &**open)),
            _ => None,
        })
    }
}

/// The visit that an entry ends or changes, taken out of the lane: where it goes on is for the caller to say.
fn moved(at: &mut At) -> Result<Visit, FoldError> {
    std::mem::replace(at, At::Ended)
        .into_visit()
        .ok_or_else(|| FoldError::Damaged("it is about a node that the lane is not at".to_owned()))
}
