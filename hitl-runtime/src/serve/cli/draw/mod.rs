//! A graph that can be looked at.

mod layout;
pub(super) mod mermaid;
mod place;
pub(super) mod svg;
#[cfg(test)]
mod tests;

use crate::{graph::GraphSpec, run::ThreadView, store::Standing};

/// Where a thread stands in the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lit {
    /// The numbers of the nodes.
    pub(super) nodes: Vec<usize>,
    /// Whether it has come to its end.
    pub(super) end: bool,
    /// Whether something went wrong there.
    pub(super) trouble: bool,
}

impl Lit {
    /// How a box is lit, if it is: the start is number 0, the nodes follow, the end is last.
    fn word(&self, spec: &GraphSpec, index: usize) -> Option<&'static str> {
        if index > spec.nodes.len() {
            return self.end.then_some("done");
        }
        let node = index.checked_sub(1)?;
        self.nodes.contains(&node).then_some(if self.trouble { "trouble" } else { "here" })
    }

    pub(super) fn of(spec: &GraphSpec, view: &ThreadView) -> Self {
        Self {
            nodes: view.nodes.iter().filter_map(|name| spec.node_index(name)).collect(),
            end: view.standing == Standing::Ended,
            trouble: matches!(view.standing, Standing::Failed | Standing::InDoubt),
        }
    }
}
