//! The counts in the text format of Prometheus, version 0.0.4.

use std::{collections::BTreeMap, fmt::Write as _};

use hitl_core::unicode::is_hidden;

use super::{AlarmKind, AlarmLimits, Histogram, Metrics, Summary};
use crate::Timestamp;

/// The upper bounds of the buckets of times, in seconds.
const BOUNDS: [u64; 12] = [1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400, 604_800];

type Count = fn(&Summary) -> u64;
type Times = fn(&Summary) -> &Histogram;
type Nodes<'a> = BTreeMap<(&'a str, &'a str), Summary>;

const COUNTS: [(&str, &str, Count); 3] = [
    ("hitl_reviews_expired", "Reviews that expired.", |summary| summary.expired),
    ("hitl_rule_signatures", "Drafts that a rule signed.", |summary| summary.rule_signed),
    ("hitl_effects_in_doubt", "Effects that came to be in doubt.", |summary| summary.in_doubt),
];

const TIMES: [(&str, &str, Times); 2] = [
    ("hitl_decision_seconds", "Time from the opening of a review to its decision.", |of| &of.opened),
    ("hitl_decision_after_shown_seconds", "Time from the showing of a draft to its decision.", |of| {
        &of.shown
    }),
];

impl Metrics {
    /// Returns the counts by node in the text format of Prometheus, for a `Content-Type` of `text/plain;
    /// version=0.0.4`, and the [alarms](Self::alarms) as the gauge `hitl_alarm`, which is 1 or 0. The counts of
    /// operators are not in it, because a name is a label without bounds.
    ///
    /// A counter of Prometheus never decreases, so serve the counts of all days (`Agent::metrics(None)`). The counts of
    /// a store without tallies decrease when a thread is deleted: they are gauges, without `_total` in their names, and
    /// of the times there are only two quantiles.
    pub fn to_prometheus(&self, limits: &AlarmLimits, now: Timestamp) -> String {
        let nodes = self.by_graph_and_node();
        let (kind, suffix) = if self.is_from_journals() { ("gauge", "") } else { ("counter", "_total") };
        let mut out = String::new();
        let name = format!("hitl_decisions{suffix}");
        family(&mut out, &name, kind, "Decisions of reviews by people.");
        for ((graph, node), summary) in &nodes {
            for (verdict, reason, count) in decisions(summary) {
                let labels = labels(graph, node, &[("verdict", verdict), ("reason", reason)]);
                line(&mut out, &name, &labels, count);
            }
        }
        for (name, help, count) in COUNTS {
            let name = format!("{name}{suffix}");
            family(&mut out, &name, kind, help);
            for ((graph, node), summary) in &nodes {
                line(&mut out, &name, &labels(graph, node, &[]), count(summary));
            }
        }
        for (name, help, times) in TIMES {
            if self.is_from_journals() {
                quantiles(&mut out, (&format!("{name}_quantile"), help), &nodes, times);
            } else {
                family(&mut out, name, "histogram", help);
                for ((graph, node), summary) in &nodes {
                    histogram(&mut out, name, (graph, node), times(summary));
                }
            }
        }
        family(&mut out, "hitl_alarm", "gauge", "1 if the recent decisions before the node raise the alarm.");
        let alarms = self.alarms(limits, now);
        for (graph, node) in nodes.keys() {
            for kind in AlarmKind::ALL {
                let is_raised =
                    alarms.iter().any(|it| it.kind == *kind && it.graph == *graph && it.node == *node);
                let labels = labels(graph, node, &[("alarm", kind.as_str())]);
                line(&mut out, "hitl_alarm", &labels, is_raised.into());
            }
        }
        out
    }
}

fn decisions(summary: &Summary) -> impl Iterator<Item = (&str, &str, u64)> {
    let plain = [("approve", summary.approved), ("edit", summary.edited), ("ask", summary.asked)];
    let rejected = summary.rejected.iter().map(|(reason, count)| ("reject", reason.as_str(), *count));
    plain.into_iter().map(|(verdict, count)| (verdict, "", count)).chain(rejected)
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &str, value: u64) {
    let _ = writeln!(out, "{name}{{{labels}}} {value}");
}

fn quantiles(out: &mut String, (name, help): (&str, &str), nodes: &Nodes<'_>, times: Times) {
    family(out, name, "gauge", help);
    for ((graph, node), summary) in nodes {
        for (share, text) in [(0.5, "0.5"), (0.95, "0.95")] {
            if let Some(seconds) = times(summary).quantile(share) {
                line(out, name, &labels(graph, node, &[("quantile", text)]), seconds);
            }
        }
    }
}

fn histogram(out: &mut String, name: &str, (graph, node): (&str, &str), times: &Histogram) {
    let bucket = format!("{name}_bucket");
    for bound in BOUNDS {
        // A time is counted in whole seconds, rounded down: 4.7 s is below the bound of 5 s.
        line(out, &bucket, &labels(graph, node, &[("le", &bound.to_string())]), times.below(bound));
    }
    line(out, &bucket, &labels(graph, node, &[("le", "+Inf")]), times.count());
    line(out, &format!("{name}_sum"), &labels(graph, node, &[]), times.sum());
    line(out, &format!("{name}_count"), &labels(graph, node, &[]), times.count());
}

fn labels(graph: &str, node: &str, more: &[(&str, &str)]) -> String {
    let all = [("graph", graph), ("node", node)].into_iter().chain(more.iter().copied());
    all.map(|(name, value)| format!("{name}=\"{}\"", label_value(value))).collect::<Vec<_>>().join(",")
}

/// Escapes the value of a label. A hidden character becomes the text `\u{…}`, so that the series can be shown anywhere.
fn label_value(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        match c {
            '\\' => out.push_str(r"\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str(r"\n"),
            c if is_hidden(c) => _ = write!(out, r"\\u{{{:x}}}", c as u32),
            c => out.push(c),
        }
    }
    out
}
