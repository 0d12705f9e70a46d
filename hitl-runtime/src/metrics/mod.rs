//! The numbers of a store's reviews: verdicts, rates, times to decision, effects in doubt; and alarms on them.
//!
//! They are a fold of the journals, which are the source of truth. A store that keeps tallies ([`Store::tallies`]) gets
//! the counts of an entry in the same atomic append as the entry, and a report then reads no journal. Journals that
//! were written before are counted on the first report. For any other store, such as one on DynamoDB or an encrypted
//! one, a report reads all journals. Both ways count an event in the same way, and give the same numbers. If a tally is
//! damaged, all of them are deleted and counted again.
//!
//! The numbers are for people who watch a team of operators. Nothing is decided by them, and they are not
//! authenticated: `verify` is.
//!
//! # What is kept, and how long
//!
//! A tally has a day, names of a graph, a node and an operator, the condition of a review, and counts: verdicts,
//! reasons, durations, and the hours in which the operator decided. It has no draft, no note and no thread. So deleting
//! a thread leaves its counts, and a report of past months stays what it was; a report from the journals, as that of a
//! store without tallies, does not have them any more. `Agent::delete_metrics` deletes the tallies of old days, with
//! the names in them.
//!
//! [`Store::tallies`]: crate::Store::tallies

mod alarm;
mod count;
mod histogram;
mod prometheus;
mod report;

pub(crate) use self::count::{JournalCounter, OpenedReview, count_event, first_group_of};
pub use self::{
    alarm::{Alarm, AlarmKind, AlarmLimits},
    histogram::Histogram,
    report::{By, Metrics, Summary},
};
