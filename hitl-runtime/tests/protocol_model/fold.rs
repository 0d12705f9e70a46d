//! A simplified `Fold::apply`: the state of a thread after its entries.

use super::{
    journal::{Digest, Draft, Entry, Event, Node, Person, Place, Resolution, RunnerId, Stop, Verdict, Wrote},
    rules::{Protocol, Rule},
};

/// One activation of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Activation {
    pub node: Node,
    pub entered: Place,
    pub signed: bool,
}

/// The state of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LaneState {
    Ready(Activation),
    Paused { activation: Activation, place: Place, digest: Digest },
    Began { activation: Activation, place: Place },
    InDoubt { activation: Activation, began: Place },
    Failed { activation: Activation, stopped: bool },
    Joined,
}

impl LaneState {
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Ready(_) | Self::Began { .. })
    }

    pub fn has_begun(&self) -> bool {
        matches!(self, Self::Began { .. })
    }

    pub fn activation(&self) -> Option<Activation> {
        match *self {
            Self::Ready(activation)
            | Self::Paused { activation, .. }
            | Self::Began { activation, .. }
            | Self::InDoubt { activation, .. }
            | Self::Failed { activation, .. } => Some(activation),
            Self::Joined => None,
        }
    }
}

/// The state of a thread. Its graph is `start -> (draft -> pay, side) -> end; pay { reject -> end, ask -> draft }`, or
/// the same without `side`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fold {
    /// The place of the next entry.
    pub next: Place,
    /// The branch of `draft` and `pay`, and the branch of `side`.
    pub main: LaneState,
    pub side: LaneState,
    pub draft: Draft,
    /// The author of an edit that was proposed again, until it is signed or overwritten.
    pub pending: Option<Person>,
    pub lease: Option<RunnerId>,
    pub ended: bool,
    /// The stop that is in force.
    pub stop: Option<Stop>,
}

impl Fold {
    pub const EMPTY: Self = Self {
        next: 0,
        main: LaneState::Joined,
        side: LaneState::Joined,
        draft: Draft::First,
        pending: None,
        lease: None,
        ended: false,
        stop: None,
    };

    pub fn of(protocol: &Protocol, entries: &[Entry]) -> Self {
        let mut fold = Self::EMPTY;
        entries.iter().for_each(|entry| fold.apply(protocol, entry.event, entry.lease));
        fold
    }

    pub fn apply(&mut self, protocol: &Protocol, event: Event, lease: Option<RunnerId>) {
        let place = self.next;
        self.next += 1;
        self.lease = lease.or(self.lease);
        let ready = |node| LaneState::Ready(Activation { node, entered: place, signed: false });
        match event {
            Event::Started => {
                self.main = ready(Node::Draft);
                if protocol.side {
                    self.side = ready(Node::Side);
                }
            }
            Event::Ran(Wrote::Draft(draft)) => {
                (self.draft, self.main, self.pending) = (draft, ready(Node::Pay), None);
            }
            Event::Ran(Wrote::Receipt) => self.main = LaneState::Joined,
            Event::Ran(Wrote::Side) => self.side = LaneState::Joined,
            Event::Paused(digest) => {
                self.turn(|activation, _| LaneState::Paused { activation, place, digest })
            }
            Event::Decided { verdict, by, .. } => self.decide(protocol, verdict, by, place),
            Event::Began => self.turn(|activation, _| LaneState::Began { activation, place }),
            Event::Failed => self.turn(|activation, _| LaneState::Failed { activation, stopped: false }),
            Event::InDoubt => self.turn(|activation, at| match at {
                LaneState::Began { place: began, .. } => LaneState::InDoubt { activation, began },
                _ => LaneState::InDoubt { activation, began: place },
            }),
            Event::Settled { how, .. } => match how {
                Resolution::Happened => self.main = LaneState::Joined,
                Resolution::RunAgain => self.turn(|activation, _| LaneState::Ready(activation)),
                Resolution::Stop => {
                    self.turn(|activation, _| LaneState::Failed { activation, stopped: true })
                }
            },
            Event::Resumed => {
                if self.is_retryable(protocol) {
                    self.turn(|activation, _| LaneState::Ready(activation));
                }
            }
            Event::Withheld => self.turn(|activation, _| LaneState::Ready(activation)),
            Event::Stopped(stop) => self.stop = Some(stop),
            Event::Unpaused => self.stop = None,
            Event::Released => self.lease = None,
            Event::Renewed => {}
            Event::Ended => self.ended = true,
        }
        // The runner of a thread that is paused has it until it ends its lease.
        let is_ready = [self.main, self.side].iter().any(|lane| matches!(lane, LaneState::Ready(_)));
        let keeps = self.stop == Some(Stop::Pause) && is_ready && event != Event::Released;
        if !self.runs(protocol) && !keeps {
            // A thread at rest has no lease.
            self.lease = None;
        }
    }

    fn decide(&mut self, protocol: &Protocol, verdict: Verdict, by: Person, place: Place) {
        let to = |node, signed| LaneState::Ready(Activation { node, entered: place, signed });
        self.pending = None;
        self.main = match verdict {
            // A large draft goes to the review for large drafts.
            Verdict::Edit(Draft::Large) if protocol.has(Rule::EditFollowsGraph) => {
                self.pending = Some(by);
                to(Node::Pay, false)
            }
            Verdict::Approve | Verdict::Edit(_) => to(Node::Pay, true),
            Verdict::Ask => to(Node::Draft, false),
            Verdict::Reject | Verdict::Expire => LaneState::Joined,
        };
        if let Verdict::Edit(draft) = verdict
            && protocol.has(Rule::EditRuns)
        {
            self.draft = draft;
        }
    }

    /// Changes the state of the main branch within its activation.
    fn turn(&mut self, to: impl FnOnce(Activation, LaneState) -> LaneState) {
        if let Some(activation) = self.main.activation() {
            self.main = to(activation, self.main);
        }
    }

    /// Returns whether `resume` retries the main branch.
    pub fn is_retryable(&self, protocol: &Protocol) -> bool {
        match self.main {
            LaneState::Failed { stopped, .. } => !(stopped && protocol.has(Rule::StopIsFinal)),
            LaneState::InDoubt { .. } => !protocol.has(Rule::DoubtWaits),
            _ => false,
        }
    }

    /// Returns whether a runner can act on the thread.
    pub fn runs(&self, protocol: &Protocol) -> bool {
        let stands = self.stop.is_some() && protocol.has(Rule::StopFences);
        let mut lanes = [self.main, self.side].into_iter();
        lanes.any(|lane| if stands { matches!(lane, LaneState::Began { .. }) } else { lane.is_active() })
    }

    pub fn is_at_end(&self) -> bool {
        !self.ended
            && self.stop != Some(Stop::Cancel)
            && self.next > 0
            && self.main == LaneState::Joined
            && self.side == LaneState::Joined
    }

    /// Returns the state of the branch of a node.
    pub fn lane(&self, node: Node) -> LaneState {
        if node == Node::Side { self.side } else { self.main }
    }
}
