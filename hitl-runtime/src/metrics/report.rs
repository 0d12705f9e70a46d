//! The report: the counts of a store, grouped and summed up.

use std::collections::{BTreeMap, BTreeSet};

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

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
///     println!("{operator:?}: {} decisions, median {:?} s", summary.decisions(), summary.opened.quantile(0.5));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    groups: BTreeMap<Group, Summary>,
    unreadable: u64,
    is_from_journals: bool,
}

/// Two reports are equal if their counts are, from tallies or from journals.
impl PartialEq for Metrics {
    fn eq(&self, other: &Self) -> bool {
        self.groups == other.groups
    }
}

impl Eq for Metrics {}

/// The property by which counts are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum By {
    /// The graph and the node that waits: `RefundAgent.pay`.
    Node,
    /// The condition of the review. Reviews without one are in the group `None`.
    Rule,
    /// The operator. What no person decided is in the group `None`.
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
    /// The effects that came to be in doubt.
    pub in_doubt: u64,
    /// The times from the opening of a review to its decision by a person.
    pub opened: Histogram,
    /// The times from the moment at which a draft was first shown to its decision, of those decisions whose channel
    /// knows that moment: see [`Evidence::shown_at`](crate::journal::Evidence::shown_at).
    pub shown: Histogram,
    /// The times of [`Self::shown`] that are those of approvals.
    pub approved_after_shown: Histogram,
    /// The hours in which each operator decided something.
    hours: BTreeSet<(String, u64)>,
}

impl Summary {
    /// Returns the number of decisions by people: approvals, edits, rejections and questions.
    pub fn decisions(&self) -> u64 {
        [self.approved, self.edited, self.rejections(), self.asked].into_iter().fold(0, u64::saturating_add)
    }

    /// Returns the number of rejections by people.
    pub fn rejections(&self) -> u64 {
        self.rejected.values().copied().fold(0, u64::saturating_add)
    }

    /// Returns the number of approvals whose channel did not record when the draft was shown. A client of the HTTP API
    /// records no such time.
    pub fn approvals_of_unknown_time(&self) -> u64 {
        self.approved.saturating_sub(self.approved_after_shown.count())
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
            "approve" => add(&mut self.approved, count),
            "edit" => add(&mut self.edited, count),
            "ask" => add(&mut self.asked, count),
            "reject" => add(self.rejected.entry(value.to_owned()).or_default(), count),
            "expired" => add(&mut self.expired, count),
            "rule_signed" => add(&mut self.rule_signed, count),
            "in_doubt" => add(&mut self.in_doubt, count),
            "opened" => self.opened.record(seconds, count),
            "shown" => self.shown.record(seconds, count),
            "approved" => self.approved_after_shown.record(seconds, count),
            "hour" => {
                let hour = (group.day().as_millis() / DAY_MS * 24).saturating_add(seconds);
                self.hours.insert((group.operator.clone().unwrap_or_default(), hour));
            }
            // A later version of hitl counts more.
            _ => {}
        }
    }

    fn add(&mut self, other: &Self) {
        add(&mut self.approved, other.approved);
        add(&mut self.edited, other.edited);
        add(&mut self.asked, other.asked);
        add(&mut self.expired, other.expired);
        add(&mut self.rule_signed, other.rule_signed);
        add(&mut self.in_doubt, other.in_doubt);
        for (reason, count) in &other.rejected {
            add(self.rejected.entry(reason.clone()).or_default(), *count);
        }
        self.opened.add(&other.opened);
        self.shown.add(&other.shown);
        self.approved_after_shown.add(&other.approved_after_shown);
        self.hours.extend(other.hours.iter().cloned());
    }

    /// Returns whether some count is greater than that of another summary.
    fn exceeds(&self, other: &Self) -> bool {
        let numbers = |of: &Self| [of.approved, of.edited, of.asked, of.expired, of.rule_signed, of.in_doubt];
        numbers(self).iter().zip(numbers(other)).any(|(count, other)| *count > other)
            || self
                .rejected
                .iter()
                .any(|(reason, count)| *count > other.rejected.get(reason).copied().unwrap_or(0))
            || self.opened.exceeds(&other.opened)
            || self.shown.exceeds(&other.shown)
            || self.approved_after_shown.exceeds(&other.approved_after_shown)
            || !self.hours.is_subset(&other.hours)
    }
}

fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count);
}

/// Returns a share; `None` of nothing.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The JSON of a time to decision, in whole seconds.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DecisionTimes")]
struct Times {
    count: u64,
    median_s: Option<u64>,
    p95_s: Option<u64>,
}

/// The JSON of a summary: its counts, and its rates from 0 to 1, which are null without decisions.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReviewNumbers")]
struct Json<'a> {
    decisions: u64,
    approved: u64,
    edited: u64,
    rejected: &'a BTreeMap<String, u64>,
    asked: u64,
    expired: u64,
    rule_signed: u64,
    in_doubt: u64,
    approvals_of_unknown_time: u64,
    approval_rate: Option<f64>,
    edit_rate: Option<f64>,
    rejection_rate: Option<f64>,
    from_opened: Times,
    from_shown: Times,
    decisions_per_operator_hour: Option<f64>,
}

impl JsonSchema for Summary {
    fn schema_name() -> Cow<'static, str> {
        Json::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Json::json_schema(generator)
    }
}

impl Serialize for Summary {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
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
            in_doubt: self.in_doubt,
            approvals_of_unknown_time: self.approvals_of_unknown_time(),
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
    /// Creates an empty report, to which the counts of journals are added.
    pub(crate) fn from_journals() -> Self {
        Self { is_from_journals: true, ..Self::default() }
    }

    /// Adds a tally, unless it is of a day before `since`. A name that this version does not know is skipped.
    pub(crate) fn read(&mut self, tally: &Tally, since: Timestamp) {
        let Some(group) = Group::parse(&tally.group).filter(|group| group.day() >= start_of_day(since))
        else {
            return;
        };
        let mut summary = Summary::default();
        tally.counts.iter().for_each(|(counter, count)| summary.count(&group, counter, *count));
        self.groups.entry(group).or_default().add(&summary);
    }

    /// Records that an entry cannot be read.
    pub(crate) fn skip(&mut self) {
        add(&mut self.unreadable, 1);
    }

    /// Adds the counts of another report.
    pub(crate) fn add(&mut self, other: &Self) {
        add(&mut self.unreadable, other.unreadable);
        for (group, summary) in &other.groups {
            self.groups.entry(group.clone()).or_default().add(summary);
        }
    }

    /// Returns whether this report was computed from the journals, because the store keeps no tallies. Its counts then
    /// decrease when a thread is deleted.
    pub fn is_from_journals(&self) -> bool {
        self.is_from_journals
    }

    /// Returns the number of entries that could not be read, and so are not counted: they are damaged, or of a newer
    /// version of hitl. Each report tries them again.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Returns whether some count is greater than in another report. Counts only grow, unless threads or tallies are
    /// deleted: so an earlier report exceeds no later one.
    pub fn exceeds(&self, other: &Self) -> bool {
        let none = Summary::default();
        self.groups.iter().any(|(group, summary)| summary.exceeds(other.groups.get(group).unwrap_or(&none)))
    }

    /// Returns the counts since the start of a day in UTC.
    #[must_use]
    pub fn since(&self, time: Timestamp) -> Self {
        let days = self.groups.iter().filter(|(group, _)| group.day() >= start_of_day(time));
        Self { groups: days.map(|(group, summary)| (group.clone(), summary.clone())).collect(), ..*self }
    }

    /// Returns the sum of all counts.
    pub fn total(&self) -> Summary {
        let mut total = Summary::default();
        self.groups.values().for_each(|summary| total.add(summary));
        total
    }

    /// Returns the sums of each group, by its name; `None` is the group of what has no name.
    pub fn by(&self, by: By) -> BTreeMap<Option<String>, Summary> {
        let mut sums = BTreeMap::<_, Summary>::new();
        for (group, summary) in &self.groups {
            let name = match by {
                By::Node => Some(format!("{}.{}", group.graph, group.node)),
                By::Rule => group.rule.clone(),
                By::Operator => group.operator.clone(),
                By::Day => Some(group.day().as_millis().to_string()),
            };
            sums.entry(name).or_default().add(summary);
        }
        sums
    }

    /// Returns the sums by graph and node.
    pub(super) fn by_graph_and_node(&self) -> BTreeMap<(&str, &str), Summary> {
        let mut sums = BTreeMap::<_, Summary>::new();
        for (group, summary) in &self.groups {
            sums.entry((group.graph.as_str(), group.node.as_str())).or_default().add(summary);
        }
        sums
    }
}

fn start_of_day(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis() / DAY_MS * DAY_MS)
}
