//! The numbers of the reviews in the store, as a reply.

use hitl_runtime::metrics::{By, Metrics, Summary};
use serde::Serialize;

/// The numbers of the reviews in the store.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MetricsReply {
    /// The sum of all groups.
    pub total: Summary,
    /// The groups, if the request names a property.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<MetricsGroup>>,
    /// The number of entries that cannot be read, and are not counted.
    pub unreadable_entries: u64,
    /// `true` if the numbers were computed from the journals, because the store keeps no tallies: those of a deleted
    /// thread are no longer in them.
    pub is_from_journals: bool,
}

/// The numbers of the reviews of one node, rule, operator or day.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MetricsGroup {
    /// The graph and the node, `RefundAgent.pay`; the condition of the review; the operator; or the start of the day in
    /// Unix milliseconds. Null for reviews without a condition, and for what no person decided.
    pub name: Option<String>,
    /// The numbers.
    pub numbers: Summary,
}

impl MetricsReply {
    pub(super) fn new(metrics: &Metrics, by: Option<By>) -> Self {
        let groups = by.map(|by| metrics.by(by).into_iter());
        let groups =
            groups.map(|groups| groups.map(|(name, numbers)| MetricsGroup { name, numbers }).collect());
        let (unreadable_entries, is_from_journals) = (metrics.unreadable(), metrics.is_from_journals());
        Self { total: metrics.total(), groups, unreadable_entries, is_from_journals }
    }
}
