//! The numbers of a store's reviews: verdicts, rates, times to decision, effects in doubt; and alarms on them.
//!
//! They are a fold of the journals, which are the source of truth. A store that keeps tallies ([`Store::tallies`]) gets
//! the counts of an entry in the same atomic append as the entry, and a report then reads no journal. Journals that were
//! written before are counted on the first report. For any other store, such as an encrypted one, a report reads
//! all journals. Both ways use [`count_event`], and give the same numbers.
//!
//! The numbers are for people who watch a team of operators. Nothing is decided by them, and they are not
//! authenticated: `verify` is. Deleting a thread leaves its counts in the tallies.
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
