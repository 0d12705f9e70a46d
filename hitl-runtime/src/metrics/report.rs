//! The report: the counts of a store, grouped and summed up.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    Histogram,
    count::{DAY_MS, Group},
};
use crate::{Timestamp, store::Tally};

/// The counts of the reviews of a store, since a day. [`Metrics::total`] and [`Metrics::by`] sum them up.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::metrics::By;
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// let _ = waiting(&agent, "A-9133").await?.approve(&mara()).await?;
/// let metrics = agent.metrics(None).await?;
/// assert_eq!(metrics.total().approval_rate(), Some(1.0));
/// for (operator, summary) in metrics.by(By::Operator) {
///     println!("{operator}: {} decisions, median {:?} s", summary.decisions(), summary.opened.quantile(0.5));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics(BTreeMap<Group, Summary>);

/// The property by which counts are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum By {
    /// The graph and the node that waits: `RefundAgent.pay`.
    Node,
    /// The condition of the review. Reviews without one are in the group with the empty name.
    Rule,
    /// The operator. What no person decided is in the group with the empty name.
    Operator,
    /// The day in UTC, as the milliseconds of its start.
    Day,
}

/// Counts, and what follows from them. A time to decision is in whole seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The drafts that a person approved unedited.
    pub approved: u64,
    /// The drafts that a person edited.
    pub edited: u64,
    /// The rejections by a person, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// The questions that a person asked.
    pub asked: u64,
    /// The reviews that expired without a decision.
    pub expired: u64,
    /// The drafts that a rule signed.
    pub rule_signed: u64,
    /// The drafts that a grant signed. There are no grants yet.
    pub grants: u64,
    /// The effects that came to be in doubt.
    pub in_doubt: u64,
    /// The times from the opening of a review to its decision by a person.
    pub opened: Histogram,
    /// The times from the moment at which a draft was first shown to its decision, of those decisions whose channel knows
    /// that moment: see [`Evidence::shown_at`](crate::journal::Evidence::shown_at).
    pub shown: Histogram,
    /// The times to approvals: since the draft was shown, or, where that is unknown, since the review was opened.
    pub approved_in: Histogram,
    /// The hours in which each operator decided something.
    hours: BTreeSet<(String, u64)>,
}

impl Summary {
    /// Returns the number of decisions by people: approvals, edits, rejections and questions.
    pub fn decisions(&self) -> u64 {
        self.approved + self.edited + self.rejections() + self.asked
    }

    /// Returns the number of rejections by people.
    pub fn rejections(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Returns the share of the decisions that are unedited approvals; `None` without decisions.
    pub fn approval_rate(&self) -> Option<f64> {
        share(self.approved, self.decisions())
    }

    /// Returns the share of the decisions that are edits; `None` without decisions.
    pub fn edit_rate(&self) -> Option<f64> {
        share(self.edited, self.decisions())
    }

    /// Returns the share of the decisions that are rejections; `None` without decisions.
    pub fn rejection_rate(&self) -> Option<f64> {
        share(self.rejections(), self.decisions())
    }

    /// Returns the share of the decisions that were made in less than this number of seconds after the draft was shown,
    /// of those whose channel knows when it was shown.
    pub fn faster_than(&self, seconds: u64) -> Option<f64> {
        share(self.shown.below(seconds), self.shown.count())
    }

    /// Returns the decisions for each hour of an operator. An hour of the clock counts if the operator decided in it.
    pub fn decisions_per_operator_hour(&self) -> Option<f64> {
        share(self.decisions(), self.hours.len() as u64)
    }

    fn count(&mut self, group: &Group, counter: &str, count: u64) {
        let (name, value) = counter.split_once(':').unwrap_or((counter, ""));
        let seconds = value.parse().unwrap_or(0);
        match name {
            "approve" => self.approved += count,
            "edit" => self.edited += count,
            "ask" => self.asked += count,
            "reject" => *self.rejected.entry(value.to_owned()).or_default() += count,
            "expired" => self.expired += count,
            "rule_signed" => self.rule_signed += count,
            "in_doubt" => self.in_doubt += count,
            "opened" => self.opened.record(seconds, count),
            "shown" => self.shown.record(seconds, count),
            "approved" => self.approved_in.record(seconds, count),
            "hour" => {
                let hour = group.day().as_millis() / DAY_MS * 24 + seconds;
                self.hours.insert((group.operator.clone().unwrap_or_default(), hour));
            }
            // A later version of hitl counts more.
            _ => {}
        }
    }

    fn add(&mut self, other: &Self) {
        self.approved += other.approved;
        self.edited += other.edited;
        self.asked += other.asked;
        self.expired += other.expired;
        self.rule_signed += other.rule_signed;
        self.grants += other.grants;
        self.in_doubt += other.in_doubt;
        for (reason, count) in &other.rejected {
            *self.rejected.entry(reason.clone()).or_default() += count;
        }
        self.opened.add(&other.opened);
        self.shown.add(&other.shown);
        self.approved_in.add(&other.approved_in);
        self.hours.extend(other.hours.iter().cloned());
    }
}

/// Returns a share; `None` of nothing.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The JSON of a summary has its counts and its rates.
impl Serialize for Summary {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Times {
            count: u64,
            median_s: Option<u64>,
            p95_s: Option<u64>,
        }
        #[derive(Serialize)]
        struct Json<'a> {
            decisions: u64,
            approved: u64,
            edited: u64,
            rejected: &'a BTreeMap<String, u64>,
            asked: u64,
            expired: u64,
            rule_signed: u64,
            grants: u64,
            in_doubt: u64,
            approval_rate: Option<f64>,
            edit_rate: Option<f64>,
            rejection_rate: Option<f64>,
            from_opened: Times,
            from_shown: Times,
            decisions_per_operator_hour: Option<f64>,
        }
        let times = |of: &Histogram| Times {
            count: of.count(),
            median_s: of.quantile(0.5),
            p95_s: of.quantile(0.95),
        };
        let json = Json {
            decisions: self.decisions(),
            approved: self.approved,
            edited: self.edited,
            rejected: &self.rejected,
            asked: self.asked,
            expired: self.expired,
            rule_signed: self.rule_signed,
            grants: self.grants,
            in_doubt: self.in_doubt,
            approval_rate: self.approval_rate(),
            edit_rate: self.edit_rate(),
            rejection_rate: self.rejection_rate(),
            from_opened: times(&self.opened),
            from_shown: times(&self.shown),
            decisions_per_operator_hour: self.decisions_per_operator_hour(),
        };
        json.serialize(serializer)
    }
}

impl Metrics {
    /// Adds a tally, unless it is of a day before `since`. A name that this version does not know is skipped.
    pub(crate) fn read(&mut self, tally: &Tally, since: Timestamp) {
        let Some(group) = Group::parse(&tally.group).filter(|group| group.day() >= start_of_day(since))
        else {
            return;
        };
        let mut summary = Summary::default();
        tally.counts.iter().for_each(|(counter, count)| summary.count(&group, counter, *count));
        self.0.entry(group).or_default().add(&summary);
    }

    /// Returns the sum of all counts.
    pub fn total(&self) -> Summary {
        let mut total = Summary::default();
        self.0.values().for_each(|summary| total.add(summary));
        total
    }

    /// Returns the sums of each group, by its name.
    pub fn by(&self, by: By) -> BTreeMap<String, Summary> {
        let mut sums = BTreeMap::<String, Summary>::new();
        for (group, summary) in &self.0 {
            let name = match by {
                By::Node => format!("{}.{}", group.graph, group.node),
                By::Rule => group.rule.clone().unwrap_or_default(),
                By::Operator => group.operator.clone().unwrap_or_default(),
                By::Day => group.day().as_millis().to_string(),
            };
            sums.entry(name).or_default().add(summary);
        }
        sums
    }

    /// Returns the sums by graph and node.
    pub(super) fn by_graph_and_node(&self) -> BTreeMap<(&str, &str), Summary> {
        let mut sums = BTreeMap::<_, Summary>::new();
        for (group, summary) in &self.0 {
            sums.entry((group.graph.as_str(), group.node.as_str())).or_default().add(summary);
        }
        sums
    }
}

fn start_of_day(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis() / DAY_MS * DAY_MS)
}
