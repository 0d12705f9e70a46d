//! Diagrams of the graphs of `hitl`, as SVG and as Mermaid, with the position of a thread.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs, missing_debug_implementations)]

mod item;
mod layout;
mod mermaid;
mod placement;
mod svg;
#[cfg(test)]
mod tests;

use hitl_runtime::{
    agent::ThreadView,
    graph::{EdgeKind, EdgeSpec, GraphSpec, NodeSpec},
    store::ThreadStatus,
};

pub use mermaid::mermaid;
pub use svg::svg;

/// The highlighted position of a thread in the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Highlight {
    /// The indices of the current nodes.
    pub nodes: Vec<usize>,
    /// `true` if the thread has ended.
    pub end: bool,
    /// `true` if the thread has failed or is in doubt.
    pub trouble: bool,
}

impl Highlight {
    /// Returns the highlight class of a box, if it is highlighted. Index 0 is the start, the nodes follow, and the end
    /// is last.
    fn class(&self, spec: &GraphSpec, index: usize) -> Option<&'static str> {
        if index > spec.nodes.len() {
            return self.end.then_some("done");
        }
        let node = index.checked_sub(1)?;
        self.nodes.contains(&node).then_some(if self.trouble { "trouble" } else { "here" })
    }

    /// Returns the position of a thread in its graph.
    pub fn of(spec: &GraphSpec, view: &ThreadView) -> Self {
        Self {
            nodes: view.nodes.iter().filter_map(|name| spec.node_index(name)).collect(),
            end: view.standing == ThreadStatus::Ended,
            trouble: matches!(view.standing, ThreadStatus::Failed | ThreadStatus::InDoubt),
        }
    }
}

/// Returns the text for the later effects that a node's review covers.
fn covered(node: &NodeSpec) -> Option<String> {
    let covers = node.interrupt.map_or(&[][..], |interrupt| interrupt.covers);
    let others: Vec<&str> = covers.iter().copied().filter(|name| *name != node.name).collect();
    (!others.is_empty()).then(|| format!("also for {}", others.join(", ")))
}

/// Returns the roles that may sign in a review; `None` if it requires none.
fn signers(review: &hitl_runtime::graph::InterruptSpec) -> Option<String> {
    review.role.map(|role| role.all().join(" or "))
}

/// The label of an edge.
struct EdgeLabel {
    text: String,
    /// `true` if the label is text from the user's code.
    is_code: bool,
}

impl EdgeLabel {
    fn of(spec: &GraphSpec, edge: &EdgeSpec) -> Option<Self> {
        let plain = |text: &str| Some(Self { text: text.to_owned(), is_code: false });
        let code = |text: String| Some(Self { text, is_code: true });
        match edge.kind {
            EdgeKind::Next => None,
            EdgeKind::Case { route, case } => code((*spec.routes.get(route)?.cases.get(case)?).to_owned()),
            EdgeKind::Fork { fork, .. } => {
                let each = spec.forks.get(fork)?.each?;
                code(format!("for {} in {}", each.item, each.list))
            }
            EdgeKind::Empty { fork } => plain(&format!("no {}", spec.forks.get(fork)?.each?.list)),
            EdgeKind::Reject => plain("reject"),
            EdgeKind::Ask => plain("ask"),
            EdgeKind::Expire => plain("expire"),
        }
    }
}
