//! What an entry says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Digest, Evidence, LaneId, Place, Proposal, Proposer, Reason, Requester, To, Usage};

/// Fields and their values as JSON.
///
/// ```
/// use hitl::journal::Values;
///
/// let wrote: Values = serde_json::from_str(r#"{"plan": "refund it", "risk": 3}"#)?;
/// assert_eq!(wrote["risk"].get(), "3");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Values = BTreeMap<String, Box<RawValue>>;

/// One entry of a thread's journal.
///
/// ```
/// use hitl::journal::{Entry, Event};
///
/// // As a store keeps it.
/// let entry: Entry = serde_json::from_str(
///     r#"{"at": 1763800000000, "is": {"ran": {"node": "draft", "wrote": {"plan": "refund it"}, "to": "pay"}}}"#,
/// )?;
/// assert_eq!(entry.at_ms, 1_763_800_000_000);
/// assert!(matches!(entry.event, Event::Ran { node, .. } if node == "draft"));
/// assert!(entry.lease.is_none() && entry.snapshot.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// When it was written, in milliseconds since the epoch.
    #[serde(rename = "at")]
    pub at_ms: u64,
    /// What happened.
    #[serde(rename = "is")]
    pub event: Event,
    /// Who has the thread from here on; unchanged where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// What the node's models took to get here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Usage>,
    /// Everything the journal says up to here, so that a resume need not read further back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Box<RawValue>>,
}

/// A runner's hold on a thread.
///
/// ```
/// use hitl::journal::Lease;
///
/// let lease: Lease = serde_json::from_str(r#"{"by": "5f3a", "until": 1763800030000}"#)?;
/// assert!(lease.until_ms > 1_763_800_000_000, "{} has the thread", lease.runner);
///
/// // In a thread's first entry.
/// let lease: Lease = serde_json::from_str(r#"{"until": 1763800030000}"#)?;
/// assert!(lease.runner.is_empty(), "the runner that bears the thread's own id");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The runner. Left out where it is the one that began the thread, whose name is the thread's `id`.
    #[serde(rename = "by", default, skip_serializing_if = "String::is_empty")]
    pub runner: String,
    /// When it runs out unless it is renewed, in milliseconds since the epoch.
    #[serde(rename = "until")]
    pub until_ms: u64,
}

/// What happened to a thread.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::journal::{Decision, Event};
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?.edit(&mara(), |draft| draft.dollars = 99).await?;
/// for entry in agent.history(&"ticket-A-9133".try_into()?, 0, 100).await? {
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
pub enum Event {
    /// The thread began.
    Started {
        /// The graph's name.
        graph: String,
        /// The graph's fingerprint: which nodes, edges and fields it had.
        print: String,
        /// The version of its state.
        #[serde(default = "first", skip_serializing_if = "is_first")]
        version: u32,
        /// Random, so that a thread which takes the name of a deleted one shares no digest and no idempotency key
        /// with it.
        id: String,
        /// The `#[input]` fields.
        input: Values,
        /// Where it goes first. Left out by a fork, whose position is in the snapshot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<To>,
        /// The thread and the place it was forked from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Origin>,
        /// Who started it, where that is known. Their name is in the digest of each review.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requester: Option<Requester>,
    },
    /// A node finished.
    Ran {
        /// The node.
        node: String,
        /// The lane it ran in.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// The fields it wrote, and only those.
        wrote: Values,
        /// Where the lane goes on.
        to: To,
    },
    /// An effect is about to touch the world.
    Began {
        /// The node.
        node: String,
        /// The lane it runs in.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// Its idempotency key.
        key: String,
    },
    /// A review is open.
    Paused {
        /// The node that waits.
        node: String,
        /// The lane it waits in.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// The field to be signed.
        field: String,
        /// What is to be signed.
        digest: Digest,
        /// The role that the operator must hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// When the review expires, in milliseconds since the epoch.
        #[serde(rename = "deadline", default, skip_serializing_if = "Option::is_none")]
        deadline_ms: Option<u64>,
        /// How long until the review is brought up again, in milliseconds.
        #[serde(rename = "remind", default, skip_serializing_if = "Option::is_none")]
        remind_ms: Option<u64>,
        /// Who proposed, by an edit, what is to be signed. Left out where a node did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposed: Option<Proposer>,
        /// The later effects that may run on the same signature, each once.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        covers: Vec<String>,
        /// The fields that are shown beside the draft and signed with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shows: Vec<String>,
        /// Whether the review takes an edit.
        #[serde(default = "is_editable", skip_serializing_if = "Clone::clone")]
        edit: bool,
    },
    /// An open review was brought up again.
    Reminded {
        /// The node that waits.
        node: String,
        /// The lane it waits in.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// How many reminders have come due by now, those included that nobody was there to give.
        times: u64,
    },
    /// A review was decided.
    Decided {
        /// The node that waited.
        node: String,
        /// The lane it waited in.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// The verdict.
        verdict: Decision,
        /// Who gave it.
        operator: String,
        /// Whether nobody had verified that it was them.
        #[serde(default, skip_serializing_if = "is_verified")]
        unverified: bool,
        /// The digest of the draft that the operator saw.
        digest: Digest,
        /// Where the lane goes on.
        to: To,
        /// Set where an edit was proposed anew, and where the verdict is the one that was given with such an edit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proposal: Option<Box<Proposal>>,
        /// How the operator was identified. Entries of an older hitl, and expiries, have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
    },
    /// A node failed.
    Failed {
        /// The node.
        node: String,
        /// The lane it ran in.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// What it said.
        error: String,
        /// Set where it is tried again by itself: when, in milliseconds since the epoch.
        #[serde(rename = "again", default, skip_serializing_if = "Option::is_none")]
        again_ms: Option<u64>,
    },
    /// Nobody saw how an effect ended.
    InDoubt {
        /// The node.
        node: String,
        /// The lane it ran in.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// Its idempotency key.
        key: String,
        /// What is known: an error, a timeout, a runner that died.
        error: String,
    },
    /// A person said how an effect ended.
    Settled {
        /// The node.
        node: String,
        /// The lane it ran in.
        #[serde(default, skip_serializing_if = "is_root")]
        lane: LaneId,
        /// What they said.
        how: Settlement,
        /// Who said it.
        operator: String,
        /// Whether nobody had verified that it was them.
        #[serde(default, skip_serializing_if = "is_verified")]
        unverified: bool,
        /// Where the lane goes on, when it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<To>,
        /// How the operator was identified.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
    },
    /// The thread met new code, and goes on under it.
    Migrated {
        /// The fingerprint of the new code's graph.
        print: String,
        /// The version of its state, where that is another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
        /// What the nodes that the thread stands at, or is to join at, are called now.
        #[serde(default, skip_serializing_if = "Renamed::is_empty")]
        renamed: Renamed,
        /// The signatures that end here, because the migration made something else of what was signed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        void: Vec<Voided>,
    },
    /// A runner took the thread up again; what had failed is tried once more.
    Resumed {
        /// Who asked for it, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Requester>,
    },
    /// A person has vouched for the entries before this one, which were written without a journal key.
    Adopted {
        /// Who vouched for them.
        operator: String,
        /// Whether nobody had verified that it was them.
        #[serde(default, skip_serializing_if = "is_verified")]
        unverified: bool,
        /// How they were identified.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
    },
    /// A runner has the thread, still or from here on.
    Renewed {},
    /// The thread came to its end.
    Ended {},
}

impl Event {
    /// The word for it, as in the JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Ran { .. } => "ran",
            Self::Began { .. } => "began",
            Self::Paused { .. } => "paused",
            Self::Reminded { .. } => "reminded",
            Self::Decided { .. } => "decided",
            Self::Failed { .. } => "failed",
            Self::InDoubt { .. } => "in_doubt",
            Self::Settled { .. } => "settled",
            Self::Migrated { .. } => "migrated",
            Self::Resumed { .. } => "resumed",
            Self::Adopted { .. } => "adopted",
            Self::Renewed {} => "renewed",
            Self::Ended {} => "ended",
        }
    }

    /// The node that it is about.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Ran { node, .. }
            | Self::Began { node, .. }
            | Self::Paused { node, .. }
            | Self::Reminded { node, .. }
            | Self::Decided { node, .. }
            | Self::Failed { node, .. }
            | Self::InDoubt { node, .. }
            | Self::Settled { node, .. } => Some(node),
            Self::Started { .. }
            | Self::Migrated { .. }
            | Self::Resumed { .. }
            | Self::Adopted { .. }
            | Self::Renewed {}
            | Self::Ended {} => None,
        }
    }
}

fn is_verified(unverified: &bool) -> bool {
    !unverified
}

/// A review takes an edit unless its entry says otherwise.
pub(super) fn is_editable() -> bool {
    true
}

fn is_root(lane: &LaneId) -> bool {
    *lane == super::ROOT
}

/// The version of a state that says none.
pub(super) fn first() -> u32 {
    1
}

pub(super) fn is_first(version: &u32) -> bool {
    *version == first()
}

/// Old names of nodes, and the new ones.
///
/// ```
/// use hitl::journal::Renamed;
///
/// let renamed: Renamed = serde_json::from_str(r#"{"execute": "pay"}"#)?;
/// assert_eq!(renamed["execute"], "pay");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Renamed = BTreeMap<String, String>;

/// A signature that a migration ended.
///
/// ```
/// use hitl::journal::Voided;
///
/// let void: Voided = serde_json::from_str(r#"{"field": "draft"}"#)?;
/// println!("what was signed as `{}` in lane {} has to be signed again", void.field, void.lane);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voided {
    /// The field that had been signed.
    pub field: String,
    /// The lane it had been signed in.
    #[serde(default, skip_serializing_if = "is_root")]
    pub lane: LaneId,
}

/// Where a thread was forked from.
///
/// ```
/// use hitl::{Digest, journal::Origin};
///
/// let origin = Origin { thread: "ticket-A-9133".into(), place: 2, hash: Digest::of(b"") };
/// println!("goes on from place {} of {}, whose hash was {}", origin.place, origin.thread, origin.hash.short());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The thread.
    pub thread: String,
    /// The entry that the fork goes on after.
    pub place: Place,
    /// That entry's hash.
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
///     Decision::Reject { reason, note } => println!("it did not, for {reason}: {note}"),
///     Decision::Ask { question } => println!("first: {question}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The draft was signed as it was.
    Approve,
    /// Another draft was signed in its stead; or proposed, where the entry's [`Proposal`] says so.
    Edit {
        /// What the node had proposed.
        before: Box<RawValue>,
        /// What the operator made of it.
        after: Box<RawValue>,
        /// The digest of what was signed, or proposed.
        signed: Digest,
    },
    /// The draft was refused.
    Reject {
        /// Why, out of a small vocabulary.
        reason: Reason,
        /// Why, in the operator's words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
    /// A question must be answered first.
    Ask {
        /// The question.
        question: String,
    },
}

impl Decision {
    /// The word for it: `approve`, `edit`, `reject` or `ask`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Edit { .. } => "edit",
            Self::Reject { .. } => "reject",
            Self::Ask { .. } => "ask",
        }
    }
}

/// How a person settles an effect that nobody saw the end of.
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
pub enum Settlement {
    /// It happened, and this is what the node would have written.
    Happened {
        /// The fields.
        wrote: Values,
    },
    /// It did not happen: run the node, with the same idempotency key.
    RunAgain,
    /// Leave it; the thread goes no further.
    Stop {
        /// Why, in the operator's words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
}

impl Settlement {
    /// The word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Happened { .. } => "happened",
            Self::RunAgain => "run_again",
            Self::Stop { .. } => "stop",
        }
    }
}

/// Who signed a field, and what they signed.
///
/// ```
/// use hitl::{Digest, journal::Signature};
///
/// let signature: Signature = serde_json::from_value(serde_json::json!({
///     "node": "pay",
///     "place": 2,
///     "operator": "mara",
///     "digest": Digest::of(b""),
/// }))?;
/// println!("{} signed before {}: the review of place {}", signature.operator, signature.node, signature.place);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The node whose review it was.
    pub node: String,
    /// Where that review was opened.
    pub place: Place,
    /// Who signed.
    pub operator: String,
    /// The role that the review asked for. `None` also where an older hitl did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The digest of what was signed.
    pub digest: Digest,
    /// The later effects that may run on it beside the node, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<String>,
    /// The fields that were shown beside what was signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shows: Vec<String>,
    /// The effects that have begun since, each with the place of the entry that led to it: an effect runs on a signature
    /// in one visit only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub spent: BTreeMap<String, Place>,
}

impl Signature {
    /// Whether another signature came of the same verdict, whatever has run on either.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.place, self.digest) == (other.place, other.digest)
    }
}
