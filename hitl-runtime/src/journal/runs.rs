//! The counts of runs that the guards of `match`es read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::NodeRenames;

/// The number of runs in a lane of each node that a guard counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Runs(BTreeMap<String, u32>);

impl Runs {
    /// Returns how often a node has run.
    #[must_use]
    pub fn of(&self, node: &str) -> u32 {
        self.0.get(node).copied().unwrap_or(0)
    }

    /// Returns the counts after one more run of a node, which is run number `run`.
    pub(crate) fn with(&self, node: &str, run: Option<u32>) -> Self {
        let mut runs = self.clone();
        runs.record(node, run);
        runs
    }

    /// Counts a run of a node. `run` is its number as an entry records it, if its runs are counted. That it is the next
    /// number is checked by the verification of a journal: reading must not depend on it.
    pub(super) fn record(&mut self, node: &str, run: Option<u32>) {
        if let Some(run) = run {
            self.0.insert(node.to_owned(), run);
        }
    }

    /// Returns the nodes whose runs are counted.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Renames nodes. The runs under an old name and under the new one are added.
    pub(super) fn rename(&mut self, renamed: &NodeRenames) {
        for (old, new) in renamed {
            if let Some(runs) = self.0.remove(old) {
                let count = self.0.entry(new.clone()).or_default();
                *count = count.saturating_add(runs);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
