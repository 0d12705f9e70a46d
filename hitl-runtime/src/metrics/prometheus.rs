//! The counts in the text format of Prometheus, version 0.0.4.

use std::fmt::Write as _;

use super::{Histogram, Metrics, Summary};

/// The upper bounds of the buckets of times, in seconds.
const BOUNDS: [u64; 12] = [1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400, 604_800];

type Count = fn(&Summary) -> u64;
type Times = fn(&Summary) -> &Histogram;

impl Metrics {
    /// Returns the counts by node in the text format of Prometheus, for a `Content-Type` of `text/plain; version=0.0.4`.
    /// The counts of operators are not in it, because a name is a label without bounds.
    ///
    /// Serve it for all days (`Agent::metrics(None)`): a counter of Prometheus never decreases.
    pub fn to_prometheus(&self) -> String {
        let nodes = self.by_graph_and_node();
        let mut out = String::new();
        family(&mut out, "hitl_decisions_total", "counter", "Decisions of reviews by people.");
        for ((graph, node), summary) in &nodes {
            for (verdict, reason, count) in decisions(summary) {
                let labels = labels(graph, node, &[("verdict", verdict), ("reason", reason)]);
                line(&mut out, "hitl_decisions_total", &labels, count);
            }
        }
        let counters: [(&str, &str, Count); 4] = [
            ("hitl_reviews_expired_total", "Reviews that expired.", |summary| summary.expired),
            ("hitl_rule_signatures_total", "Drafts that a rule signed.", |summary| summary.rule_signed),
            ("hitl_grant_signatures_total", "Drafts that a grant signed.", |summary| summary.grants),
            ("hitl_effects_in_doubt_total", "Effects that came to be in doubt.", |summary| summary.in_doubt),
        ];
        for (name, help, count) in counters {
            family(&mut out, name, "counter", help);
            for ((graph, node), summary) in &nodes {
                line(&mut out, name, &labels(graph, node, &[]), count(summary));
            }
        }
        let times: [(&str, &str, Times); 2] = [
            ("hitl_decision_seconds", "Time from the opening of a review to its decision.", |of| &of.opened),
            (
                "hitl_decision_after_shown_seconds",
                "Time from the showing of a draft to its decision.",
                |of| &of.shown,
            ),
        ];
        for (name, help, times) in times {
            family(&mut out, name, "histogram", help);
            for ((graph, node), summary) in &nodes {
                histogram(&mut out, name, (graph, node), times(summary));
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
    let escape = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    let all = [("graph", graph), ("node", node)].into_iter().chain(more.iter().copied());
    all.map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect::<Vec<_>>().join(",")
}
