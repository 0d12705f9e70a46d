//! The entries of a journal and their events.

use std::{collections::BTreeMap, time::Duration};

use hitl_core::millis;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::graph::RiskLevel;

use super::{
    Condition, Digest, Evidence, LaneId, Place, Proposal, Proposer, Reason, Requester, Signer, StopKind,
    StopScope, Timestamp, Transition, Usage, Values,
};

/// One entry of a thread's journal.
///
/// ```
/// use hitl::journal::{Entry, Event};
///
/// // The JSON of a stored entry.
/// let entry: Entry = serde_json::from_str(
///     r#"{"at": 1763800000000, "is": {"ran": {"node": "draft", "wrote": {"plan": "refund it"}, "to": "pay"}}}"#,
/// )?;
/// assert_eq!(entry.at.as_millis(), 1_763_800_000_000);
/// assert!(matches!(entry.event, Event::Ran { node, .. } if node == "draft"));
/// assert!(entry.lease.is_none() && entry.snapshot.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// The time of the write.
    pub at: Timestamp,
    /// The event.
    #[serde(rename = "is")]
    pub event: Event,
    /// The lease from this entry on. `None` leaves the lease unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// The usage of the node's model calls that led to this entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Usage>,
    /// A snapshot of the thread up to and including this entry, so that a resume need not read older entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Box<RawValue>>,
}

/// The lease of a runner on a thread.
///
/// ```
/// use hitl::journal::Lease;
///
/// let lease: Lease = serde_json::from_str(r#"{"by": "5f3a", "until": 1763800030000}"#)?;
/// assert_eq!((lease.runner.as_str(), lease.until.as_millis()), ("5f3a", 1_763_800_030_000));
///
/// // The lease of a thread's first entry.
/// let lease: Lease = serde_json::from_str(r#"{"until": 1763800030000}"#)?;
/// assert!(lease.runner.is_empty(), "the runner that bears the thread's own id");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lease {
    /// The id of the runner. Empty, and omitted in JSON, if it is the runner that started the thread, whose id is equal
    /// to the thread's `id`.
    #[serde(rename = "by", default, skip_serializing_if = "String::is_empty")]
    pub runner: String,
    /// The expiry of the lease unless it is renewed.
    pub until: Timestamp,
}

/// An event of a thread.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::journal::{Decision, Event};
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?.edit(&mara(), |draft| draft.dollars = 99).await?;
/// for entry in agent.history("ticket-A-9133", 0, 100).await? {
///     match &entry.event {
///         Event::Decided { operator, verdict: Decision::Edit { before, after, .. }, .. } => {
///             println!("{operator} made {after} of {before}");
///         }
///         event => println!("{} {}", event.name(), event.node().unwrap_or_default()),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The thread started.
    #[non_exhaustive]
    Started {
        /// The graph's name.
        graph: String,
        /// The graph's fingerprint, computed from its nodes, edges and fields.
        print: String,
        /// The version of the thread's state.
        #[serde(default = "first", skip_serializing_if = "is_first")]
        version: u32,
        /// A random id, so that a thread with the name of a deleted one shares no digests and idempotency keys with it.
        id: String,
        /// The `#[input]` fields.
        input: Values,
        /// The first position. `None` for a fork, whose position is in the snapshot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Transition>,
        /// The thread and the place that this thread was forked from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Origin>,
        /// The operator who started the thread, if known. The name is part of the digest of each review.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requester: Option<Requester>,
    },
    /// A node finished.
    #[non_exhaustive]
    Ran {
        /// The node.
        node: String,
        /// The lane in which the node ran.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// The number of the run in its lane, from 1, if the guard of a `match` counts the runs of the node.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<u32>,
        /// The fields that the node wrote, and no others.
        wrote: Values,
        /// The next position of the lane.
        to: Transition,
    },
    /// An effect is about to run.
    #[non_exhaustive]
    Began {
        /// The node.
        node: String,
        /// The lane in which the node runs.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// The idempotency key of the effect.
        key: String,
    },
    /// A review was opened.
    #[non_exhaustive]
    Paused {
        /// The node that waits for the review.
        node: String,
        /// The lane in which the node waits.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// The field to be signed.
        field: String,
        /// The digest of the review.
        digest: Digest,
        /// The role that the operator must hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// The deadline of the review.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
        /// The interval between reminders of the review.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "millis::option")]
        remind: Option<Duration>,
        /// The operator whose edit proposed the draft. `None` if a node proposed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposed: Option<Proposer>,
        /// The later effects that may run on the same signature, each at most once.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        covers: Vec<String>,
        /// The fields that are shown beside the draft and signed with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shows: Vec<String>,
        /// `true` if the review accepts an edit.
        #[serde(default = "is_editable", skip_serializing_if = "Clone::clone")]
        edit: bool,
        /// The condition of the review, and its value. It is false if a person is asked for another reason: one was asked
        /// about this draft before, or the thread is a fork. `None` if the review has no condition, or new code opened it again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        when: Option<Condition>,
        /// The risk of the action, if the program declares one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        risk: Option<RiskLevel>,
        /// `true` if the program declares that the action cannot be undone.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        irreversible: bool,
        /// `true` if the person who started the thread may not sign.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        not_requester: bool,
    },
    /// A draft was signed without a review, by a rule.
    #[non_exhaustive]
    Signed {
        /// The node that runs on the signature.
        node: String,
        /// The lane of the node.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// The signed field.
        field: String,
        /// The digest of what was signed.
        digest: Digest,
        /// The signer.
        by: Signer,
        /// The role in which a person would have had to sign.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// The operator whose edit proposed the draft. `None` if a node proposed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposed: Option<Proposer>,
        /// The later effects that may run on the same signature, each at most once.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        covers: Vec<String>,
        /// The fields that were signed with the draft.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shows: Vec<String>,
    },
    /// A reminder of an open review came due.
    #[non_exhaustive]
    Reminded {
        /// The node that waits for the review.
        node: String,
        /// The lane in which the node waits.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// The number of reminders that have come due so far, including those for which no runner was active.
        times: u64,
    },
    /// A review was decided.
    #[non_exhaustive]
    Decided {
        /// The node that waited for the review.
        node: String,
        /// The lane in which the node waited.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// The verdict.
        verdict: Decision,
        /// The operator who gave the verdict.
        operator: String,
        /// `true` if the operator's identity was not verified.
        #[serde(default, skip_serializing_if = "is_verified")]
        unverified: bool,
        /// The digest of the review that the operator decided.
        digest: Digest,
        /// The operator's note. That of a rejection is in the verdict.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
        /// The next position of the lane.
        to: Transition,
        /// The condition of the review, and its value for the edited draft. `None` for every other verdict, and if the
        /// review has no condition.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        when: Option<Condition>,
        /// Set if an edit was a new proposal, or if the verdict is the one that was given with such an edit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposal: Option<Box<Proposal>>,
        /// The evidence of the operator's identity. `None` for expiries, and in entries of an older version of hitl.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
    },
    /// A node failed.
    #[non_exhaustive]
    Failed {
        /// The node.
        node: String,
        /// The lane in which the node ran.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// The error message.
        error: String,
        /// The time of the automatic retry. `None` if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<Timestamp>,
        /// `true` if the node was not called because of a stop. It does not count as a failed attempt.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        withheld: bool,
    },
    /// An effect is in doubt: it is unknown whether it happened.
    #[non_exhaustive]
    InDoubt {
        /// The node.
        node: String,
        /// The lane in which the node ran.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// The idempotency key of the effect.
        key: String,
        /// The known cause, such as an error, a timeout, or a runner that crashed.
        error: String,
    },
    /// An operator settled an effect in doubt.
    #[non_exhaustive]
    Settled {
        /// The node.
        node: String,
        /// The lane in which the node ran.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// The settlement.
        how: Settlement,
        /// The operator who settled the effect.
        operator: String,
        /// `true` if the operator's identity was not verified.
        #[serde(default, skip_serializing_if = "is_verified")]
        unverified: bool,
        /// For an effect that happened: the number of the run, as of [`Event::Ran`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<u32>,
        /// The next position of the lane, if it continues.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Transition>,
        /// The evidence of the operator's identity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
    },
    /// The thread was migrated to new code, and continues under it.
    #[non_exhaustive]
    Migrated {
        /// The fingerprint of the new code's graph.
        print: String,
        /// The version of the new code's state, if it differs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
        /// The new names of the nodes that the thread is at or will join at, or whose runs it counts, if they have
        /// changed.
        #[serde(default, skip_serializing_if = "NodeRenames::is_empty")]
        renamed: NodeRenames,
        /// The signatures that end because the migration changed the signed value.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        void: Vec<VoidedSignature>,
    },
    /// A runner resumed the thread. Nodes that had failed are attempted again.
    #[non_exhaustive]
    Resumed {
        /// The operator who requested the resume, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Requester>,
    },
    /// An operator stopped the thread; or, in the journal of stops, a graph or the store.
    #[non_exhaustive]
    Stopped {
        /// The kind of the stop.
        kind: StopKind,
        /// The part of the store that was stopped.
        #[serde(default, skip_serializing_if = "StopScope::is_thread")]
        scope: StopScope,
        /// For a thread that is cancelled with its graph or its store: the place of that stop in the journal of stops.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        follows: Option<Place>,
        /// The operator's reason.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// The operator who stopped it.
        operator: String,
        /// `true` if the operator's identity was not verified.
        #[serde(default, skip_serializing_if = "is_verified")]
        unverified: bool,
        /// The evidence of the operator's identity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
    },
    /// An operator lifted a stop.
    #[non_exhaustive]
    Unpaused {
        /// The part of the store that was stopped.
        #[serde(default, skip_serializing_if = "StopScope::is_thread")]
        scope: StopScope,
        /// The operator's reason.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// The operator who lifted the stop.
        operator: String,
        /// `true` if the operator's identity was not verified.
        #[serde(default, skip_serializing_if = "is_verified")]
        unverified: bool,
        /// The evidence of the operator's identity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
    },
    /// An operator vouched for the entries before this one, which were written without a journal key.
    #[non_exhaustive]
    Adopted {
        /// The operator who vouched for the entries.
        operator: String,
        /// `true` if the operator's identity was not verified.
        #[serde(default, skip_serializing_if = "is_verified")]
        unverified: bool,
        /// The evidence of the operator's identity.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
    },
    /// A runner acquired or renewed its lease on the thread.
    #[non_exhaustive]
    Renewed {},
    /// The thread ended.
    #[non_exhaustive]
    Ended {},
}

impl Event {
    /// Returns the name of the event in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Ran { .. } => "ran",
            Self::Began { .. } => "began",
            Self::Paused { .. } => "paused",
            Self::Signed { .. } => "signed",
            Self::Reminded { .. } => "reminded",
            Self::Decided { .. } => "decided",
            Self::Failed { .. } => "failed",
            Self::InDoubt { .. } => "in_doubt",
            Self::Settled { .. } => "settled",
            Self::Migrated { .. } => "migrated",
            Self::Resumed { .. } => "resumed",
            Self::Stopped { .. } => "stopped",
            Self::Unpaused { .. } => "unpaused",
            Self::Adopted { .. } => "adopted",
            Self::Renewed {} => "renewed",
            Self::Ended {} => "ended",
        }
    }

    /// Returns the node that the event is about, if any.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Ran { node, .. }
            | Self::Began { node, .. }
            | Self::Paused { node, .. }
            | Self::Signed { node, .. }
            | Self::Reminded { node, .. }
            | Self::Decided { node, .. }
            | Self::Failed { node, .. }
            | Self::InDoubt { node, .. }
            | Self::Settled { node, .. } => Some(node),
            Self::Started { .. }
            | Self::Migrated { .. }
            | Self::Resumed { .. }
            | Self::Stopped { .. }
            | Self::Unpaused { .. }
            | Self::Adopted { .. }
            | Self::Renewed {}
            | Self::Ended {} => None,
        }
    }

    /// Returns the lane that the event is about, if it is about a node.
    pub(crate) fn lane(&self) -> Option<LaneId> {
        match self {
            Self::Ran { lane, .. }
            | Self::Began { lane, .. }
            | Self::Paused { lane, .. }
            | Self::Signed { lane, .. }
            | Self::Reminded { lane, .. }
            | Self::Decided { lane, .. }
            | Self::Failed { lane, .. }
            | Self::InDoubt { lane, .. }
            | Self::Settled { lane, .. } => Some(*lane),
            Self::Started { .. }
            | Self::Migrated { .. }
            | Self::Resumed { .. }
            | Self::Stopped { .. }
            | Self::Unpaused { .. }
            | Self::Adopted { .. }
            | Self::Renewed {}
            | Self::Ended {} => None,
        }
    }
}

fn is_verified(unverified: &bool) -> bool {
    !unverified
}

/// Returns the default of `edit`: entries without it are of reviews that accept an edit.
pub(super) fn is_editable() -> bool {
    true
}

fn is_root(lane: &LaneId) -> bool {
    *lane == super::ROOT
}

/// Returns the default version, of entries that do not state one.
pub(super) fn first() -> u32 {
    1
}

pub(super) fn is_first(version: &u32) -> bool {
    *version == first()
}

/// New names of renamed nodes, by old name.
///
/// ```
/// use hitl::journal::NodeRenames;
///
/// let renamed: NodeRenames = serde_json::from_str(r#"{"execute": "pay"}"#)?;
/// assert_eq!(renamed["execute"], "pay");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type NodeRenames = BTreeMap<String, String>;

/// A signature that a migration ended.
///
/// ```
/// use hitl::journal::VoidedSignature;
///
/// let void: VoidedSignature = serde_json::from_str(r#"{"field": "draft"}"#)?;
/// println!("what was signed as `{}` in lane {} has to be signed again", void.field, void.lane);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VoidedSignature {
    /// The field that had been signed.
    pub field: String,
    /// The lane it had been signed in.
    #[serde(default, skip_serializing_if = "is_root")]
    pub lane: LaneId,
}

/// The origin of a forked thread: the entry after which it continues.
///
/// ```
/// use hitl::{Digest, journal::Origin};
///
/// let origin: Origin = serde_json::from_value(serde_json::json!({
///     "thread": "ticket-A-9133",
///     "place": 2,
///     "hash": Digest::of(b""),
/// }))?;
/// println!("goes on from place {} of {}, whose hash was {}", origin.place, origin.thread, origin.hash.short());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Origin {
    /// The name of the original thread.
    pub thread: String,
    /// The place of the last entry of the original thread that the fork includes.
    pub place: Place,
    /// The hash of that entry.
    pub hash: Digest,
}

/// A verdict as the journal keeps it.
///
/// ```
/// use hitl::journal::Decision;
///
/// let decision: Decision = serde_json::from_str(r#"{"reject": {"reason": "wrong_tool", "note": "replace it"}}"#)?;
/// assert_eq!(decision.name(), "reject");
/// match decision {
///     Decision::Approve | Decision::Edit { .. } => println!("it ran"),
///     Decision::Reject { reason, note, .. } => println!("it did not, for {reason}: {note}"),
///     Decision::Ask { question, .. } => println!("first: {question}"),
///     other => println!("{}", other.name()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Decision {
    /// The draft was signed unchanged.
    Approve,
    /// A different draft was signed, or, if the entry has a [`Proposal::Made`], proposed.
    #[non_exhaustive]
    Edit {
        /// The draft before the edit.
        before: Box<RawValue>,
        /// The draft after the edit.
        after: Box<RawValue>,
        /// The digest of the edited draft, signed or proposed.
        signed: Digest,
    },
    /// The draft was rejected.
    #[non_exhaustive]
    Reject {
        /// The reason, one of a fixed set.
        reason: Reason,
        /// The operator's explanation.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
    /// The operator asked a question that must be answered first.
    #[non_exhaustive]
    Ask {
        /// The question.
        question: String,
    },
}

impl Decision {
    /// Returns the name of the verdict: `approve`, `edit`, `reject` or `ask`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Edit { .. } => "edit",
            Self::Reject { .. } => "reject",
            Self::Ask { .. } => "ask",
        }
    }
}

/// An operator's settlement of an effect in doubt.
///
/// ```
/// use hitl::journal::Settlement;
///
/// let happened = Settlement::Happened { wrote: serde_json::from_str(r#"{"outcome": "paid"}"#)? };
/// let stop = Settlement::Stop { note: "the customer has been called".into() };
/// assert_eq!([&happened, &Settlement::RunAgain, &stop].map(Settlement::name), ["happened", "run_again", "stop"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Settlement {
    /// The effect happened, with the values that the node would have written.
    Happened {
        /// The values of the fields that the node would have written.
        wrote: Values,
    },
    /// The effect did not happen. The node runs again with the same idempotency key.
    RunAgain,
    /// The effect is left as it is, and the thread stops.
    Stop {
        /// The operator's explanation.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
}

impl Settlement {
    /// Returns the name of the settlement: `happened`, `run_again` or `stop`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Happened { .. } => "happened",
            Self::RunAgain => "run_again",
            Self::Stop { .. } => "stop",
        }
    }
}
