//! Alarms: signs that people no longer read, or that they do not want what an agent proposes.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{Metrics, Summary};
use crate::Timestamp;

/// The limits of the alarms. An alarm needs a minimum number of decisions.
///
/// ```
/// use std::time::Duration;
/// use hitl::metrics::AlarmLimits;
///
/// let limits = AlarmLimits::default();
/// assert_eq!((limits.unread, limits.rejected, limits.fast_seconds, limits.minimum), (0.95, 0.4, 5, 20));
/// assert_eq!(limits.window, Duration::from_hours(7 * 24));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlarmLimits {
    /// The share of fast approvals, of those for which it is known when the draft was shown, above which people may no
    /// longer read.
    pub unread: f64,
    /// The share of rejections above which the agent's proposals are not wanted.
    pub rejected: f64,
    /// The number of seconds below which an approval is fast.
    pub fast_seconds: u64,
    /// The smallest number of decisions on which an alarm is raised.
    pub minimum: u64,
    /// The time before now whose decisions count, from the start of its first day in UTC on.
    pub window: Duration,
}

impl Default for AlarmLimits {
    fn default() -> Self {
        let window = Duration::from_hours(7 * 24);
        Self { unread: 0.95, rejected: 0.4, fast_seconds: 5, minimum: 20, window }
    }
}

/// The kind of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AlarmKind {
    /// Nearly all approvals are fast.
    Unread,
    /// Many drafts are rejected.
    Rejected,
}

impl AlarmKind {
    /// All kinds.
    pub const ALL: &[Self] = &[Self::Unread, Self::Rejected];

    /// Returns the name of the kind in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Rejected => "rejected",
        }
    }
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
    /// The number of decisions of which it is a share. For [`AlarmKind::Unread`], these are the approvals for which it
    /// is known when the draft was shown.
    pub decisions: u64,
    /// The number of approvals for which that is unknown.
    pub approvals_of_unknown_time: u64,
    /// The number of seconds below which an approval is fast.
    pub fast_seconds: u64,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, graph, node, share, decisions, approvals_of_unknown_time: unknown, fast_seconds } =
            self;
        let percent = share * 100.0;
        write!(f, "node `{node}` of `{graph}`: {percent:.0} % of {decisions} ")?;
        match kind {
            AlarmKind::Unread => {
                write!(f, "approvals came less than {fast_seconds} s after the draft was shown")?;
                if *unknown > 0 {
                    write!(f, " ({unknown} of unknown time are not counted)")?;
                }
                f.write_str("; check that people read the drafts")
            }
            AlarmKind::Rejected => f.write_str("decisions were rejections; check what the agent proposes"),
        }
    }
}

impl Metrics {
    /// Returns the alarms of the decisions in [`AlarmLimits::window`], by node. Days that are not in these counts are
    /// not looked at.
    pub fn alarms(&self, limits: &AlarmLimits, now: Timestamp) -> Vec<Alarm> {
        let recent = self.since(now.saturating_sub(limits.window));
        let nodes = recent.by_graph_and_node();
        let alarms = nodes.iter().flat_map(|((graph, node), summary)| {
            AlarmKind::ALL.iter().filter_map(|kind| {
                let (part, decisions, limit) = measured(*kind, summary, limits);
                let share = part as f64 / decisions as f64;
                // Without decisions, the share is not a number, and exceeds no limit.
                (decisions >= limits.minimum && share > limit).then(|| Alarm {
                    kind: *kind,
                    graph: (*graph).to_owned(),
                    node: (*node).to_owned(),
                    share,
                    decisions,
                    approvals_of_unknown_time: summary.approvals_of_unknown_time(),
                    fast_seconds: limits.fast_seconds,
                })
            })
        });
        alarms.collect()
    }
}

/// Returns the decisions that may raise an alarm, those of which they are a share, and the limit of the share.
fn measured(kind: AlarmKind, summary: &Summary, limits: &AlarmLimits) -> (u64, u64, f64) {
    let known = &summary.approved_after_shown;
    match kind {
        AlarmKind::Unread => (known.below(limits.fast_seconds), known.count(), limits.unread),
        AlarmKind::Rejected => (summary.rejections(), summary.decisions(), limits.rejected),
    }
}
