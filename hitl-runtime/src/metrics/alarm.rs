//! Alarms: signs that people no longer read, or that they do not want what an agent proposes.

use std::fmt;

use serde::Serialize;

use super::{Metrics, Summary};

/// The limits of the alarms. An alarm needs a minimum number of decisions.
///
/// ```
/// use hitl::metrics::AlarmLimits;
///
/// let limits = AlarmLimits::default();
/// assert_eq!((limits.unread, limits.rejected, limits.fast_seconds, limits.minimum), (0.95, 0.4, 5, 20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlarmLimits {
    /// The share of fast, unedited approvals above which people may no longer read.
    pub unread: f64,
    /// The share of rejections above which the agent's proposals are not wanted.
    pub rejected: f64,
    /// The number of seconds below which an approval is fast.
    pub fast_seconds: u64,
    /// The smallest number of decisions on which an alarm is raised.
    pub minimum: u64,
}

impl Default for AlarmLimits {
    fn default() -> Self {
        Self { unread: 0.95, rejected: 0.4, fast_seconds: 5, minimum: 20 }
    }
}

/// The kind of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AlarmKind {
    /// Nearly all drafts are approved unedited and fast.
    Unread,
    /// Many drafts are rejected.
    Rejected,
}

/// An alarm on the decisions before one node.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Alarm {
    /// The kind.
    pub kind: AlarmKind,
    /// The graph.
    pub graph: String,
    /// The node.
    pub node: String,
    /// The share that exceeds the limit.
    pub share: f64,
    /// The number of decisions.
    pub decisions: u64,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, graph, node, share, decisions } = self;
        let percent = share * 100.0;
        write!(f, "node `{node}` of `{graph}`: {percent:.0} % of {decisions} drafts were ")?;
        match kind {
            AlarmKind::Unread => f.write_str("approved unedited and fast; check that people read them"),
            AlarmKind::Rejected => f.write_str("rejected; check what the agent proposes"),
        }
    }
}

impl Metrics {
    /// Returns the alarms of these counts, by node.
    pub fn alarms(&self, limits: &AlarmLimits) -> Vec<Alarm> {
        let nodes = self.by_graph_and_node();
        let alarms = nodes.iter().flat_map(|((graph, node), summary)| {
            let kinds = [
                (AlarmKind::Unread, unread(summary, limits), limits.unread),
                (AlarmKind::Rejected, summary.rejection_rate(), limits.rejected),
            ];
            let decisions = summary.decisions();
            kinds.into_iter().filter_map(move |(kind, share, limit)| {
                let share = share.filter(|share| decisions >= limits.minimum && *share > limit)?;
                Some(Alarm { kind, graph: (*graph).to_owned(), node: (*node).to_owned(), share, decisions })
            })
        });
        alarms.collect()
    }
}

/// Returns the share of the decisions that are fast, unedited approvals. Where it is unknown when a draft was shown, an
/// approval is fast if it came soon after the review was opened.
fn unread(summary: &Summary, limits: &AlarmLimits) -> Option<f64> {
    let decisions = summary.decisions();
    let fast = summary.approved_in.below(limits.fast_seconds);
    (decisions > 0).then(|| fast as f64 / decisions as f64)
}
