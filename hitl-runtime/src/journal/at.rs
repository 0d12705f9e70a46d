//! Where a lane stands.

use serde::{Deserialize, Serialize};

use super::{Digest, Each, Place, Proposer, Question, Rejection, To, entry};

/// One coming to a node: from the entry that led there to the entry that leads away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub(crate) node: String,
    /// The place of the entry that led here.
    pub(crate) entered: Place,
    /// Whether the review before the node is over, and was favourable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) signed: bool,
    /// How often the node has failed here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) failures: u32,
    /// What the verdict that led here brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) brings: Option<Box<Brings>>,
    /// The node's name when the visit began, where new code has another one: the idempotency key is made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) was: Option<String>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Brings {
    Rejection(Rejection),
    Question(Question),
}

/// Where a lane stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum At {
    /// The node is next: to be run, or first to be signed.
    Ready {
        visit: Visit,
        /// Not before this time.
        again_ms: Option<u64>,
    },
    /// A review is open.
    Paused(Box<OpenAt>),
    /// An effect is under way since the entry at `place`, which tells this try from any other one of the visit.
    Began { visit: Visit, key: String, place: Place },
    /// Nobody saw how the try ended that began at `place`.
    InDoubt { visit: Visit, key: String, place: Place, since_ms: u64, error: String },
    /// The node failed for good, or a person stopped it.
    Failed { visit: Visit, since_ms: u64, error: String, stopped: bool },
    /// Its branches are under way.
    Forked { join: To },
    /// Its items are under way.
    Looping { each: Box<Each> },
    /// It has come to its fork's join, and waits for its siblings.
    Joined,
    /// It has come to the end.
    Ended,
}

/// An open review.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenAt {
    pub(crate) visit: Visit,
    pub(crate) field: String,
    /// The place of the `Paused` entry.
    pub(crate) place: Place,
    pub(crate) digest: Digest,
    pub(crate) role: Option<String>,
    pub(crate) opened_ms: u64,
    pub(crate) deadline_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) remind_ms: Option<u64>,
    /// How many reminders have come due and are over.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub(crate) reminded: u64,
    /// Who proposed, by an edit, what is to be signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proposed: Option<Proposer>,
    /// The later effects that the signature will cover.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) covers: Vec<String>,
    /// The fields that are shown beside the draft.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) shows: Vec<String>,
    /// Whether it takes an edit.
    #[serde(default = "entry::is_editable", skip_serializing_if = "Clone::clone")]
    pub(crate) edit: bool,
}

fn is_none_yet(n: &u64) -> bool {
    *n == 0
}

impl Visit {
    /// The first coming to a node, by the entry at a place.
    pub(crate) fn to(node: &str, entered: Place) -> Self {
        Self { node: node.to_owned(), entered, signed: false, failures: 0, brings: None, was: None }
    }
}

impl OpenAt {
    /// When the review is to be brought up again, if it is before its deadline.
    pub(crate) fn reminder_ms(&self) -> Option<u64> {
        let spans = self.remind_ms?.saturating_mul(self.reminded + 1);
        let at_ms = self.opened_ms.saturating_add(spans);
        self.deadline_ms.is_none_or(|deadline| at_ms < deadline).then_some(at_ms)
    }

    /// When something happens to the review though nobody decides it.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        self.reminder_ms().or(self.deadline_ms)
    }
}

impl At {
    /// Whether a runner has something to do here.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self, Self::Ready { .. } | Self::Began { .. })
    }

    /// As [`At::visit`], to keep.
    pub(super) fn into_visit(self) -> Option<Visit> {
        match self {
            Self::Ready { visit, .. }
            | Self::Began { visit, .. }
            | Self::InDoubt { visit, .. }
            | Self::Failed { visit, .. } => Some(visit),
            Self::Paused(open) => Some(open.visit),
            Self::Forked { .. } | Self::Looping { .. } | Self::Joined | Self::Ended => None,
        }
    }

    /// The visit, where the lane is at a node.
    pub(crate) fn visit(&self) -> Option<&Visit> {
        match self {
            Self::Ready { visit, .. }
            | Self::Began { visit, .. }
            | Self::InDoubt { visit, .. }
            | Self::Failed { visit, .. } => Some(visit),
            Self::Paused(open) => Some(&open.visit),
            Self::Forked { .. } | Self::Looping { .. } | Self::Joined | Self::Ended => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn visit_mut(&mut self) -> Option<&mut Visit> {
        match self {
            Self::Ready { visit, .. }
            | Self::Began { visit, .. }
            | Self::InDoubt { visit, .. }
            | Self::Failed { visit, .. } => Some(visit),
            Self::Paused(open) => Some(&mut open.visit),
            Self::Forked { .. } | Self::Looping { .. } | Self::Joined | Self::Ended => None,
        }
    }

    /// Where what runs side by side will meet, where the lane waits for that.
    pub(crate) fn join(&self) -> Option<&To> {
        match self {
            Self::Forked { join } => Some(join),
            Self::Looping { each } => Some(&each.join),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn join_mut(&mut self) -> Option<&mut To> {
        match self {
            Self::Forked { join } => Some(join),
            Self::Looping { each } => Some(&mut each.join),
            _ => None,
        }
    }

    /// The `for` whose items are under way.
    pub(crate) fn each(&self) -> Option<&Each> {
        match self {
            Self::Looping { each } => Some(each),
            _ => None,
        }
    }
}
