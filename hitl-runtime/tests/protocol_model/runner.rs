//! A simplified `run::executor` and `run::thread_writer`: how a runner moves a thread.

use super::{
    fold::{Activation, Fold, LaneState},
    journal::{Digest, Draft, Event, Generation, Node, Place, RunnerId, SeenEntry, Stop, Verdict, Wrote},
    request::{Plan, Request},
    rules::{Protocol, Rule},
    thread::Thread,
};

/// A process that works on the thread.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Runner {
    pub runner_id: RunnerId,
    pub generation: Generation,
    /// The request that it serves, and the plan for it, until the plan is stored.
    pub asked: Option<(Request, Plan)>,
    /// `true` if it takes the thread over; `false` if it only appends an entry.
    pub claims: bool,
    /// The state of the thread once `post` is stored, as far as the runner knows.
    pub fold: Fold,
    /// `true` if the runner has read that all threads are stopped.
    pub knows_all_stopped: bool,
    /// The entries that are being appended.
    pub post: Vec<Event>,
    /// `true` if an append of these entries has failed, so that it is unknown whether they are stored.
    pub unsure: bool,
    /// The attempts to start once `post` is stored, and (`running`) those in flight.
    pub next: Vec<Attempt>,
    pub running: Vec<Attempt>,
    /// The ends of attempts since the last append.
    pub ended: Vec<(Activation, End)>,
}

/// One attempt at one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    pub activation: Activation,
    /// The place of its `Began` entry.
    pub began: Option<Place>,
    /// The draft that it was given.
    pub draft: Draft,
    /// `true` if it was read that no stop is in force, so that it may be called.
    pub called: bool,
    /// `true` if its effect has taken place.
    pub done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    Wrote(Wrote),
    /// An error that does not tell whether the effect took place.
    Error,
    /// An error that guarantees that the effect did not take place.
    NotDone,
    /// It was not called, because a stop is in force.
    Withheld,
}

impl Runner {
    /// Creates a runner that has read the thread and is about to serve a request. Returns `None` if there is nothing to
    /// do.
    pub fn new(protocol: &Protocol, thread: &Thread, request: Request) -> Option<Self> {
        let plan = thread.plan(protocol, request)?;
        Some(Self::with(protocol, thread, thread.new_runner_id(), request, plan))
    }

    fn with(protocol: &Protocol, thread: &Thread, runner_id: RunnerId, request: Request, plan: Plan) -> Self {
        let mut runner = Self {
            runner_id,
            generation: thread.generation,
            asked: None,
            claims: plan.claims,
            fold: thread.fold(protocol),
            knows_all_stopped: thread.all_stopped,
            post: Vec::new(),
            unsure: false,
            next: Vec::new(),
            running: Vec::new(),
            ended: Vec::new(),
        };
        plan.events.iter().for_each(|event| runner.push(protocol, *event));
        if plan.claims {
            runner.advance(protocol);
        }
        runner.asked = Some((request, plan));
        runner
    }

    /// Returns the runner's name in the journal.
    pub fn name(&self, protocol: &Protocol) -> RunnerId {
        if protocol.has(Rule::UniqueClaimName) { self.runner_id } else { 0 }
    }

    /// Returns the place of the first entry of `post`.
    pub fn place(&self) -> Place {
        self.fold.next - Place::try_from(self.post.len()).unwrap_or(Place::MAX)
    }

    pub fn push(&mut self, protocol: &Protocol, event: Event) {
        let name = self.claims.then(|| self.name(protocol));
        self.fold.apply(protocol, event, name);
        self.post.push(event);
    }

    /// Moves every branch as far as it goes without running a node.
    fn advance(&mut self, protocol: &Protocol) {
        for lane in [Node::Pay, Node::Side] {
            let runs_in = |this: &Attempt| (this.activation.node == Node::Side) == (lane == Node::Side);
            if !self.running.iter().any(runs_in) {
                self.advance_lane(protocol, self.fold.lane(lane));
            }
        }
        if self.fold.is_at_end() {
            self.push(protocol, Event::Ended);
        }
        let stands = self.fold.stop.is_some() || self.knows_all_stopped;
        let is_idle = self.running.is_empty() && self.next.is_empty();
        if stands && is_idle && self.claims && self.fold.lease == Some(self.name(protocol)) {
            self.push(protocol, Event::Released);
        }
        if !protocol.has(Rule::StoreBeforeAttempt) {
            self.running.append(&mut self.next);
        }
    }

    fn advance_lane(&mut self, protocol: &Protocol, at: LaneState) {
        let stands = (self.fold.stop.is_some() || self.knows_all_stopped) && protocol.has(Rule::StopFences);
        let is_closed = self.fold.stop == Some(Stop::Cancel);
        match at {
            LaneState::Ready(_) if stands => {}
            LaneState::Ready(activation) if activation.node == Node::Pay && !activation.signed => {
                let digest = Digest {
                    draft: self.fold.draft,
                    place: protocol.has(Rule::DigestNamesPlace).then_some(self.fold.next),
                    generation: protocol.has(Rule::DigestNamesThread).then_some(self.generation),
                };
                let place = self.fold.next;
                self.push(protocol, Event::Paused(digest));
                if let Some(by) = self.fold.pending
                    && (by.may_sign(self.fold.draft) || !protocol.has(Rule::EditSignsIfPermitted))
                {
                    let saw = SeenEntry { generation: self.generation, place };
                    self.push(protocol, Event::Decided { verdict: Verdict::Approve, saw, late: false, by });
                    self.advance_lane(protocol, self.fold.main);
                }
            }
            LaneState::Ready(activation) => self.begin(protocol, activation),
            LaneState::Began { .. } if protocol.has(Rule::OrphanIsDoubt) && !protocol.idempotent => {
                self.push(protocol, Event::InDoubt);
            }
            LaneState::Began { .. } if stands && is_closed => self.push(protocol, Event::InDoubt),
            // It may be repeated once the stop is lifted; until then it is as unknown as before if it happened.
            LaneState::Began { .. } if stands && protocol.idempotent => {}
            LaneState::Began { activation, .. } => self.begin(protocol, activation),
            LaneState::Paused { .. }
            | LaneState::InDoubt { .. }
            | LaneState::Failed { .. }
            | LaneState::Joined => {}
        }
    }

    fn begin(&mut self, protocol: &Protocol, activation: Activation) {
        let announced = activation.node == Node::Pay && protocol.has(Rule::BeganFirst);
        let began = announced.then_some(self.fold.next);
        if announced {
            self.push(protocol, Event::Began);
        }
        self.next.push(Attempt { activation, began, draft: self.fold.draft, called: false, done: false });
    }

    /// Ends an attempt, and queues the entry that says so.
    pub fn end(mut self, protocol: &Protocol, this: usize, end: End) -> Option<Self> {
        let activation = self.running.remove(this).activation;
        self.record(protocol, activation, end);
        self.ended.push((activation, end));
        self.advance(protocol);
        self.start_next()
    }

    fn record(&mut self, protocol: &Protocol, activation: Activation, end: End) {
        if protocol.has(Rule::SameActivation)
            && self.fold.lane(activation.node).activation() != Some(activation)
        {
            return;
        }
        let event = match end {
            End::Wrote(wrote) => Event::Ran(wrote),
            End::Error if protocol.has(Rule::ErrorIsDoubt) && !protocol.idempotent => Event::InDoubt,
            End::Error | End::NotDone => Event::Failed,
            End::Withheld if protocol.idempotent => return,
            End::Withheld => Event::Withheld,
        };
        self.push(protocol, event);
    }

    /// Continues after the store has accepted `post`.
    pub fn on_stored(mut self) -> Option<Self> {
        self.post.clear();
        self.start_next()
    }

    /// Continues after the store has reported that the place is taken.
    pub fn on_conflict(mut self, protocol: &Protocol, thread: &Thread) -> Option<Self> {
        if self.unsure && (self.is_mine(thread) || !protocol.has(Rule::ReadEntryAfterFailure)) {
            return self.on_stored();
        }
        if let Some((request, plan)) = self.asked {
            let plan =
                if protocol.has(Rule::RereadOnConflict) { thread.plan(protocol, request)? } else { plan };
            return Some(Self::with(protocol, thread, self.runner_id, request, plan));
        }
        (self.generation, self.fold) = (thread.generation, thread.fold(protocol));
        if protocol.has(Rule::StopWithoutLease) && self.fold.lease != Some(self.name(protocol)) {
            return None;
        }
        self.post.clear();
        self.next.clear();
        for (activation, end) in self.ended.clone() {
            self.record(protocol, activation, end);
        }
        self.advance(protocol);
        self.unsure = false;
        self.start_next()
    }

    /// Returns whether the journal has the last entry of `post`, from this runner, at its place.
    fn is_mine(&self, thread: &Thread) -> bool {
        let there = self.fold.next.checked_sub(1).and_then(|place| thread.entry(place));
        there.is_some_and(|entry| entry.by == self.runner_id && Some(&entry.event) == self.post.last())
    }

    /// Starts the next attempts if no entry is queued. Returns `None` if nothing is queued or in flight.
    fn start_next(mut self) -> Option<Self> {
        if self.post.is_empty() {
            self.asked = None;
            self.unsure = false;
            self.ended.clear();
            self.running.append(&mut self.next);
        }
        (!self.post.is_empty() || !self.running.is_empty()).then_some(self)
    }
}
