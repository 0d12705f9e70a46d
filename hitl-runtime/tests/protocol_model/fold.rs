//! A simplified `Fold::apply`: the state of a thread after its entries.

use super::{
    journal::{Digest, Draft, Drive, Entry, Event, How, Node, Person, Place, Verdict, Wrote},
    rules::{Protocol, Rule},
};

/// One activation of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Visit {
    pub node: Node,
    pub entered: Place,
    pub signed: bool,
}

/// The state of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum At {
    Ready(Visit),
    Paused { visit: Visit, place: Place, digest: Digest },
    Began { visit: Visit, place: Place },
    InDoubt { visit: Visit, began: Place },
    Failed { visit: Visit, stopped: bool },
    Joined,
}

impl At {
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Ready(_) | Self::Began { .. })
    }

    pub fn visit(&self) -> Option<Visit> {
        match *self {
            Self::Ready(visit)
            | Self::Paused { visit, .. }
            | Self::Began { visit, .. }
            | Self::InDoubt { visit, .. }
            | Self::Failed { visit, .. } => Some(visit),
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
    pub main: At,
    pub side: At,
    pub draft: Draft,
    /// The author of an edit that was proposed again, until it is signed or overwritten.
    pub pending: Option<Person>,
    pub lease: Option<Drive>,
    pub ended: bool,
}

impl Fold {
    pub const EMPTY: Self = Self {
        next: 0,
        main: At::Joined,
        side: At::Joined,
        draft: Draft::First,
        pending: None,
        lease: None,
        ended: false,
    };

    pub fn of(protocol: &Protocol, entries: &[Entry]) -> Self {
        let mut fold = Self::EMPTY;
        entries.iter().for_each(|entry| fold.apply(protocol, entry.event, entry.lease));
        fold
    }

    pub fn apply(&mut self, protocol: &Protocol, event: Event, lease: Option<Drive>) {
        let place = self.next;
        self.next += 1;
        self.lease = lease.or(self.lease);
        let ready = |node| At::Ready(Visit { node, entered: place, signed: false });
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
            Event::Ran(Wrote::Receipt) => self.main = At::Joined,
            Event::Ran(Wrote::Side) => self.side = At::Joined,
            Event::Paused(digest) => self.turn(|visit, _| At::Paused { visit, place, digest }),
            Event::Decided { verdict, by, .. } => self.decide(protocol, verdict, by, place),
            Event::Began => self.turn(|visit, _| At::Began { visit, place }),
            Event::Failed => self.turn(|visit, _| At::Failed { visit, stopped: false }),
            Event::InDoubt => self.turn(|visit, at| match at {
                At::Began { place: began, .. } => At::InDoubt { visit, began },
                _ => At::InDoubt { visit, began: place },
            }),
            Event::Settled { how, .. } => match how {
                How::Happened => self.main = At::Joined,
                How::RunAgain => self.turn(|visit, _| At::Ready(visit)),
                How::Stop => self.turn(|visit, _| At::Failed { visit, stopped: true }),
            },
            Event::Resumed => {
                if self.is_retryable(protocol) {
                    self.turn(|visit, _| At::Ready(visit));
                }
            }
            Event::Renewed => {}
            Event::Ended => self.ended = true,
        }
        if !self.main.is_active() && !self.side.is_active() {
            // A thread at rest has no lease.
            self.lease = None;
        }
    }

    fn decide(&mut self, protocol: &Protocol, verdict: Verdict, by: Person, place: Place) {
        let to = |node, signed| At::Ready(Visit { node, entered: place, signed });
        self.pending = None;
        self.main = match verdict {
            // A large draft goes to the review for large drafts.
            Verdict::Edit(Draft::Large) if protocol.has(Rule::EditTakesItsWay) => {
                self.pending = Some(by);
                to(Node::Pay, false)
            }
            Verdict::Approve | Verdict::Edit(_) => to(Node::Pay, true),
            Verdict::Ask => to(Node::Draft, false),
            Verdict::Reject | Verdict::Expire => At::Joined,
        };
        if let Verdict::Edit(draft) = verdict
            && protocol.has(Rule::EditRuns)
        {
            self.draft = draft;
        }
    }

    /// Changes the state of the main branch within its activation.
    fn turn(&mut self, to: impl FnOnce(Visit, At) -> At) {
        if let Some(visit) = self.main.visit() {
            self.main = to(visit, self.main);
        }
    }

    /// Returns whether `resume` retries the main branch.
    pub fn is_retryable(&self, protocol: &Protocol) -> bool {
        match self.main {
            At::Failed { stopped, .. } => !(stopped && protocol.has(Rule::StopIsFinal)),
            At::InDoubt { .. } => !protocol.has(Rule::DoubtWaits),
            _ => false,
        }
    }

    pub fn is_at_end(&self) -> bool {
        !self.ended && self.next > 0 && self.main == At::Joined && self.side == At::Joined
    }

    /// Returns the state of the branch of a node.
    pub fn lane(&self, node: Node) -> At {
        if node == Node::Side { self.side } else { self.main }
    }
}
