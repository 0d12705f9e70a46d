//! The position of a lane in its graph: the node, fork or `for` that it is at, and the status there.

use std::time::Duration;

use hitl_core::millis;
use serde::{Deserialize, Serialize};

use crate::graph::{ReviewRisk, RiskLevel};

use super::{
    Condition, Digest, Each, FoldError, Place, Proposer, Question, Rejection, Timestamp, Transition, entry,
};

/// An activation of a node: from the entry that led to the node to the entry that leads away from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activation {
    pub(crate) node: String,
    /// The place of the entry that led to the node.
    pub(crate) entered: Place,
    /// `true` if the review before the node was decided with a signature: an approval, or an edit that signs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) signed: bool,
    /// The number of failed attempts that were followed by a retry, since the activation began or was last resumed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) failures: u32,
    /// The rejection or question of the verdict that led to the node.
    #[serde(rename = "brings", default, skip_serializing_if = "Option::is_none")]
    pub(crate) feedback: Option<Box<Feedback>>,
    /// The node's name when the activation began, if new code has renamed it. The idempotency key is derived from this
    /// name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) was: Option<String>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Feedback {
    Rejection(Rejection),
    Question(Question),
}

/// The position of a lane, and its status there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LaneState {
    /// The node is next: it waits for its run, or for its review to be opened.
    Ready {
        #[serde(rename = "visit")]
        activation: Activation,
        /// The earliest time of the next attempt. `None` if there is no backoff.
        #[serde(rename = "again_ms")]
        again: Option<Timestamp>,
    },
    /// A review is open.
    Paused(Box<OpenReviewState>),
    /// An effect in progress since the entry at `place`, which distinguishes this attempt from others of the
    /// activation.
    Began {
        #[serde(rename = "visit")]
        activation: Activation,
        key: String,
        place: Place,
    },
    /// An effect in doubt: it is unknown whether the attempt that began at `place` happened.
    InDoubt {
        #[serde(rename = "visit")]
        activation: Activation,
        key: String,
        place: Place,
        #[serde(rename = "since_ms")]
        since: Timestamp,
        error: String,
    },
    /// The node failed without a further retry, or an operator stopped it.
    Failed {
        #[serde(rename = "visit")]
        activation: Activation,
        #[serde(rename = "since_ms")]
        since: Timestamp,
        error: String,
        stopped: bool,
    },
    /// A fork whose branches have not all reached the join.
    Forked { join: Transition },
    /// A `for` whose items have not all reached the join.
    Looping { each: Box<Each> },
    /// A branch or an item that has reached its join and waits for the others.
    Joined,
    /// The end of the graph.
    Ended,
}

/// An open review.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenReviewState {
    #[serde(rename = "visit")]
    pub(crate) activation: Activation,
    pub(crate) field: String,
    /// The place of the `Paused` entry.
    pub(crate) place: Place,
    pub(crate) digest: Digest,
    pub(crate) role: Option<String>,
    #[serde(rename = "opened_ms")]
    pub(crate) opened: Timestamp,
    #[serde(rename = "deadline_ms")]
    pub(crate) deadline: Option<Timestamp>,
    #[serde(rename = "remind_ms", with = "millis::option", default, skip_serializing_if = "Option::is_none")]
    pub(crate) remind: Option<Duration>,
    /// The number of reminders that have come due so far.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub(crate) reminded: u64,
    /// The operator whose edit proposed the draft; `None` if a node did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proposed: Option<Proposer>,
    /// The later effects that the signature will cover.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) covers: Vec<String>,
    /// The fields that are shown beside the draft.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) shows: Vec<String>,
    /// `true` if the review accepts an edit.
    #[serde(default = "entry::is_editable", skip_serializing_if = "Clone::clone")]
    pub(crate) edit: bool,
    /// The condition of the review, and its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) when: Option<Condition>,
    /// The risk of the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) risk: Option<RiskLevel>,
    /// `true` if the action cannot be undone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) irreversible: bool,
    /// `true` if the person who started the thread may not sign.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) not_requester: bool,
}

impl OpenReviewState {
    /// Returns the risk that the review shows.
    pub(crate) fn shown_risk(&self) -> ReviewRisk {
        ReviewRisk { level: self.risk, irreversible: self.irreversible }
    }
}

fn is_none_yet(n: &u64) -> bool {
    *n == 0
}

impl Activation {
    /// Returns a new activation of a node, which the entry at `entered` leads to.
    pub(crate) fn to(node: &str, entered: Place) -> Self {
        Self { node: node.to_owned(), entered, signed: false, failures: 0, feedback: None, was: None }
    }
}

impl OpenReviewState {
    /// Returns the time of the next reminder. `None` if the review has no reminders, or if the next one is not
    /// due before the deadline.
    pub(crate) fn reminder(&self) -> Option<Timestamp> {
        let spans = millis::of(self.remind?).saturating_mul(self.reminded + 1);
        let at = self.opened.saturating_add(Duration::from_millis(spans));
        self.deadline.is_none_or(|deadline| at < deadline).then_some(at)
    }

    /// Returns the time at which an undecided review is due: for its next reminder, or else its deadline.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.reminder().or(self.deadline)
    }
}

impl LaneState {
    /// Returns whether a runner can act here: start a node, or complete an effect that has begun.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self, Self::Ready { .. } | Self::Began { .. })
    }

    /// Returns the activation by value, if the lane is at a node.
    pub(super) fn into_activation(self) -> Option<Activation> {
        match self {
            Self::Ready { activation, .. }
            | Self::Began { activation, .. }
            | Self::InDoubt { activation, .. }
            | Self::Failed { activation, .. } => Some(activation),
            Self::Paused(open) => Some(open.activation),
            Self::Forked { .. } | Self::Looping { .. } | Self::Joined | Self::Ended => None,
        }
    }

    /// Takes the activation that an entry ends or changes out of the lane. The caller must set the lane's new position.
    pub(super) fn take_activation(&mut self) -> Result<Activation, FoldError> {
        std::mem::replace(self, Self::Ended)
            .into_activation()
            .ok_or_else(|| FoldError::Damaged("it is about a node that the lane is not at".to_owned()))
    }

    /// Returns the activation, if the lane is at a node.
    pub(crate) fn activation(&self) -> Option<&Activation> {
        match self {
            Self::Ready { activation, .. }
            | Self::Began { activation, .. }
            | Self::InDoubt { activation, .. }
            | Self::Failed { activation, .. } => Some(activation),
            Self::Paused(open) => Some(&open.activation),
            Self::Forked { .. } | Self::Looping { .. } | Self::Joined | Self::Ended => None,
        }
    }

    /// Returns the activation for modification, if the lane is at a node.
    pub(super) fn activation_mut(&mut self) -> Option<&mut Activation> {
        match self {
            Self::Ready { activation, .. }
            | Self::Began { activation, .. }
            | Self::InDoubt { activation, .. }
            | Self::Failed { activation, .. } => Some(activation),
            Self::Paused(open) => Some(&mut open.activation),
            Self::Forked { .. } | Self::Looping { .. } | Self::Joined | Self::Ended => None,
        }
    }

    /// Returns the target of the join, if the lane waits for its branches or items.
    pub(crate) fn join(&self) -> Option<&Transition> {
        match self {
            Self::Forked { join } => Some(join),
            Self::Looping { each } => Some(&each.join),
            _ => None,
        }
    }

    /// Returns the target of the join for modification, if the lane waits for its branches or items.
    pub(super) fn join_mut(&mut self) -> Option<&mut Transition> {
        match self {
            Self::Forked { join } => Some(join),
            Self::Looping { each } => Some(&mut each.join),
            _ => None,
        }
    }

    /// Returns the `for` whose items are in progress, if the lane is at one.
    pub(crate) fn each(&self) -> Option<&Each> {
        match self {
            Self::Looping { each } => Some(each),
            _ => None,
        }
    }
}
