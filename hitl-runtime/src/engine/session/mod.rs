//! A thread in memory: its load from the store, its conversion to this program's code, and the writer of its entries.

mod adapt;
mod append_unconverted;
mod authenticate;
mod compatibility;
mod doubt;
mod entry_log;
mod fingerprint;
mod history_entry;
mod lease;
mod lenient_load;
mod load;
mod load_writer;
mod open_review;
mod permission;
mod projection;
mod random_id;
mod review_change;
mod review_expressions;
mod review_rule;
mod review_terms;
mod stop;
mod stops;
mod subscription;
mod thread_writer;
mod unreadable;

pub(super) use self::{
    authenticate::Authentication,
    compatibility::{gone, holds},
    doubt::{Failure, UNRENEWED, effects_in_doubt, failure},
    fingerprint::fingerprint,
    history_entry::shown,
    lease::Sightings,
    lenient_load::{incompatibilities, load_lenient, load_strict},
    open_review::{checked_draft, draft_error, locate_review, take_draft, unsignable},
    permission::{has_requester, may_decide, may_sign},
    projection::reviews,
    random_id::random_id,
    review_expressions::{LaneRules, condition, edited, required_role, risk},
    review_rule::ReviewRule,
    review_terms::{ReviewTerms, covered_and_shown},
    stop::{has_been_cancelled, is_not_closed, is_not_stopped},
    stops::{JournalEnd, PlacedStop, Stops, StopsInForce, StopsReplay},
    subscription::Subscribers,
    thread_writer::ThreadWriter,
};
pub(crate) use self::{
    doubt::EffectInDoubt,
    open_review::LocatedReview,
    projection::thread_status,
    unreadable::{incompatible, unreadable},
};
pub use self::{
    history_entry::HistoryEntry,
    review_change::ReviewChange,
    subscription::{Subscription, ThreadEvent},
};
