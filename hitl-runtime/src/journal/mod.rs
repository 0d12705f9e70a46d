//! The journal of a thread: an append-only list of entries. All other state of the thread is derived from it.

mod answer;
mod at;
mod authentication;
mod canonical;
mod chain;
mod digest;
mod entry;
mod evidence;
pub(crate) mod exact;
pub(crate) mod finite;
mod fold;
mod frozen;
mod lane;
pub(crate) mod migrate;
mod proposal;
mod readback;
mod sides;
mod to;
mod usage;
mod written;

pub use answer::{Question, Reason, Rejection, UnknownReason};
pub(crate) use at::{At, Brings, OpenAt, Visit};
pub(crate) use authentication::{Act, MacError, Position, split};
pub use authentication::{InvalidJournalKey, JournalKey, JournalKeys, Purpose, UnusableJournalKeys};
pub(crate) use chain::{genesis, link};
pub(crate) use digest::Subject;
pub use digest::{Digest, DigestError, ParseDigestError};
pub use entry::{Decision, Entry, Event, Lease, Origin, Renamed, Settlement, Signature, Values, Voided};
pub use evidence::{Evidence, Requester};
pub(crate) use fold::{Fold, FoldError, Unmigrated};
pub(crate) use frozen::graph_of;
pub use lane::LaneId;
pub(crate) use lane::{Arrival, Drafted, Lane, ROOT, shown};
pub use migrate::Map;
pub(crate) use proposal::{Pending, Sources};
pub use proposal::{Proposal, Proposer, Source};
pub use to::{Each, ParseToError, To};
pub use usage::Usage;
pub(crate) use written::{Ran, Said, Written, Wrote};

/// The place of an entry in a thread's journal, counted from 0.
pub type Place = u64;
