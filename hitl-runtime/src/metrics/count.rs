//! The counts of single entries, and of whole journals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Histogram;
use crate::{
    Reason, Timestamp,
    journal::{Condition, Decision, Entry, Event, LaneId, Proposal, Signer},
    store::{Record, Tally},
};

pub(super) const DAY_MS: u64 = 86_400_000;
const HOUR_MS: u64 = 3_600_000;

/// The group of a count. In its name in a store, the day comes first, so that a report of some days reads only those.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Group {
    /// The days since the Unix epoch, in six digits.
    day: String,
    pub(super) graph: String,
    pub(super) node: String,
    /// The condition of the review, or of the rule that signed.
    pub(super) rule: Option<String>,
    /// `None` if no person decided.
    pub(super) operator: Option<String>,
}

impl Group {
    /// Returns the start of the day in UTC.
    pub(super) fn day(&self) -> Timestamp {
        Timestamp::from_millis(self.day.parse::<u64>().unwrap_or(0).saturating_mul(DAY_MS))
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let (day, graph, node, rule, operator) = serde_json::from_str(name).ok()?;
        Some(Self { day, graph, node, rule, operator })
    }

    fn name(&self) -> String {
        let Self { day, graph, node, rule, operator } = self;
        // Texts always have JSON.
        serde_json::to_string(&(day, graph, node, rule, operator)).unwrap_or_default()
    }
}

/// Returns a text that is at most the name of each group from this day on.
pub(crate) fn first_group_of(time: Timestamp) -> String {
    format!("[\"{}", day(time))
}

fn day(time: Timestamp) -> String {
    format!("{:06}", time.as_millis() / DAY_MS)
}

/// The opening of the review that a verdict decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenedReview<'a> {
    pub(crate) opened: Timestamp,
    pub(crate) when: Option<&'a Condition>,
}

/// Returns the counts of an event, if it has any.
pub(crate) fn count_event(
    graph: &str,
    event: &Event,
    at: Timestamp,
    review: Option<OpenedReview<'_>>,
) -> Option<Tally> {
    let group = |node: &str, rule: Option<&str>, operator: Option<&str>| Group {
        day: day(at),
        graph: graph.to_owned(),
        node: node.to_owned(),
        rule: rule.map(str::to_owned),
        operator: operator.map(str::to_owned),
    };
    let rule = review.and_then(|review| Some(review.when?.expr.as_str()));
    match event {
        Event::Signed { node, by: Signer::Rule(rule), .. } => {
            Some(Tally::new(group(node, Some(rule), None).name()).with_count("rule_signed", 1))
        }
        Event::InDoubt { node, .. } => {
            Some(Tally::new(group(node, None, None).name()).with_count("in_doubt", 1))
        }
        // The operator gave it with the edit, which is counted.
        Event::Decided { proposal: Some(proposal), .. } if matches!(**proposal, Proposal::Signed { .. }) => {
            None
        }
        Event::Decided { node, verdict: Decision::Reject { reason: Reason::Expired, .. }, .. } => {
            Some(Tally::new(group(node, rule, None).name()).with_count("expired", 1))
        }
        Event::Decided { node, verdict, operator, evidence, .. } => {
            let mut tally = Tally::new(group(node, rule, Some(operator)).name());
            let verdict = match verdict {
                Decision::Reject { reason, .. } => format!("reject:{reason}"),
                other => other.name().to_owned(),
            };
            let is_approval = verdict == "approve";
            tally = tally.with_count(verdict, 1);
            let hour = at.as_millis() % DAY_MS / HOUR_MS;
            tally = tally.with_count(format!("hour:{hour}"), 1);
            let since = |then: Timestamp| Histogram::rounded(at.saturating_since(then).as_secs());
            // Clocks differ: a decision before the opening has no time, and a draft shown after it was not shown then.
            let opened = review.map(|review| review.opened).filter(|opened| *opened <= at).map(since);
            let shown = evidence.as_ref().and_then(|evidence| evidence.shown_at).filter(|shown| *shown <= at);
            // A time before the opening is of another review.
            let shown = shown.filter(|shown| review.is_none_or(|review| review.opened <= *shown)).map(since);
            let times = [("opened", opened), ("shown", shown), ("approved", shown.filter(|_| is_approval))];
            for (name, seconds) in times {
                if let Some(seconds) = seconds {
                    tally = tally.with_count(format!("{name}:{seconds}"), 1);
                }
            }
            Some(tally)
        }
        _ => None,
    }
}

/// The fold of a journal to its counts.
#[derive(Debug, Default)]
pub(crate) struct JournalCounter {
    graph: String,
    open: BTreeMap<LaneId, (Timestamp, Option<Condition>)>,
}

impl JournalCounter {
    /// Reads the next entry, and returns its counts, if it has any.
    ///
    /// # Errors
    /// If the entry cannot be parsed, because it is damaged or of a newer version. It is skipped.
    pub(crate) fn read(&mut self, record: &Record) -> Result<Option<Tally>, serde_json::Error> {
        let Entry { at, event, .. } = serde_json::from_slice(&record.body)?;
        let mut review = None;
        match &event {
            Event::Started { graph, .. } => graph.clone_into(&mut self.graph),
            Event::Paused { lane, when, .. } => drop(self.open.insert(*lane, (at, when.clone()))),
            Event::Decided { lane, .. } => review = self.open.remove(lane),
            _ => {}
        }
        let review =
            review.as_ref().map(|(opened, when)| OpenedReview { opened: *opened, when: when.as_ref() });
        Ok(count_event(&self.graph, &event, at, review))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::journal::{Evidence, ROOT, Transition};

    fn counters(at: u64, shown: Option<u64>) -> Vec<String> {
        let time = Timestamp::from_millis;
        let evidence = Evidence::through("test").with_shown_at(shown.map(time));
        let event = Event::Decided {
            node: "pay".into(),
            lane: ROOT,
            verdict: Decision::Approve,
            operator: "mara".into(),
            unverified: false,
            digest: crate::Digest::of(b""),
            note: String::new(),
            to: Transition::End,
            when: None,
            proposal: None,
            evidence: Some(Box::new(evidence)),
        };
        let review = OpenedReview { opened: time(100_000), when: None };
        count_event("Refunds", &event, time(at), Some(review)).unwrap().counts.into_keys().collect()
    }

    #[test]
    fn times_that_contradict_each_other_are_unknown() {
        assert_eq!(
            counters(109_000, Some(105_000)),
            ["approve", "approved:4", "hour:0", "opened:9", "shown:4"]
        );
        assert_eq!(counters(109_000, Some(110_000)), ["approve", "hour:0", "opened:9"]);
        assert_eq!(counters(109_000, Some(90_000)), ["approve", "hour:0", "opened:9"]);
        assert_eq!(counters(90_000, None), ["approve", "hour:0"]);
    }
}
