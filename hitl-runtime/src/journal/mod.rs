//! The journal of a thread: an append-only list of entries. All other state of the thread is derived from it.

mod apply;
mod apply_decision;
mod authentication;
mod chain;
mod entry;
mod entry_ref;
mod evidence;
pub(crate) mod feedback;
mod fold;
mod fold_error;
mod fork_join;
mod lane;
mod lane_state;
mod lanes;
pub(crate) mod migrate;
pub(crate) mod operator;
mod person;
mod proposal;
mod readback;
mod review_digest;
mod runs;
mod signature;
mod snapshot;
mod stop;
mod transition;
mod transition_text;
mod usage;

pub(crate) use authentication::{Act, MacError, Position, split};
pub use authentication::{InvalidJournalKey, JournalKey, JournalKeys, Purpose, UnusableJournalKeys};
pub(crate) use chain::{genesis, link};
pub use entry::{Decision, Entry, Event, Lease, NodeRenames, Origin, Settlement, VoidedSignature};
pub(crate) use entry_ref::{EntryRef, EventRef, FieldWrites, NodeResultRef};
pub use evidence::{Evidence, Requester};
pub use feedback::UnknownReason;
pub(crate) use feedback::{Question, Reason, Rejection};
#[doc(hidden)]
pub use fold::Fold;
pub(crate) use fold_error::{FoldError, Unmigrated};
pub(crate) use hitl_core::{Digest, Place, Timestamp};
pub use lane::LaneId;
pub(crate) use lane::{BranchWrite, CheckedDraft, Lane, ROOT, shown};
pub(crate) use lane_state::{Activation, Feedback, LaneState, OpenReviewState};
use lanes::Lanes;
pub use migrate::Map;
pub(crate) use person::{Person, Requesters, TokenSubject};
pub(crate) use proposal::{Pending, Sources};
pub use proposal::{Proposal, Proposer, Source};
pub(crate) use review_digest::Subject;
#[doc(hidden)]
pub use runs::Runs;
pub use signature::{Condition, Signature, Signer};
pub(crate) use snapshot::graph_of;
pub use stop::{Stop, StopKind, StopScope};
pub use transition::{Each, Transition};
pub use transition_text::ParseTransitionError;
pub use usage::Usage;

pub use crate::json::{DigestError, Values};
