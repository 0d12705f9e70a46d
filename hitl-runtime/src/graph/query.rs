//! Queries of a graph's description.

use super::const_string::str_eq;
use super::{EdgeKind, EdgeSpec, FieldSpec, ForkSpec, GraphSpec, MAX_ITEMS, Point, StateSpec};

impl Point {
    /// Returns the name in `graph!`: `start`, `end`, or the node's.
    #[must_use]
    pub const fn name(self, spec: &GraphSpec) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Node(node) => spec.nodes[node].name,
            Self::End => "end",
        }
    }
}

impl EdgeSpec {
    /// Returns whether the node that it enters receives a `Rejection`. A payload does not outlive its branch: a join
    /// receives none.
    pub(super) const fn brings_rejection(&self) -> bool {
        matches!(self.kind, EdgeKind::Reject | EdgeKind::Expire) && self.joins.is_none()
    }

    /// Returns whether the node that it enters receives a `Question`.
    pub(super) const fn brings_question(&self) -> bool {
        matches!(self.kind, EdgeKind::Ask) && self.joins.is_none()
    }
}

impl ForkSpec {
    /// Returns the nodes that run for each item if the fork is a `for`; empty otherwise.
    pub(super) const fn body(&self) -> &'static [usize] {
        match (&self.each, self.branches) {
            (Some(_), [body]) => body.nodes,
            _ => &[],
        }
    }

    /// Returns the name of the list if the fork is a `for`; empty otherwise.
    pub(super) const fn list(&self) -> &'static str {
        match &self.each {
            Some(each) => each.list,
            None => "",
        }
    }
}

impl StateSpec {
    /// Returns the field of this name.
    #[must_use]
    pub const fn field(&self, name: &str) -> Option<&'static FieldSpec> {
        let mut field = 0;
        while field < self.fields.len() {
            if str_eq(self.fields[field].name, name) {
                return Some(&self.fields[field]);
            }
            field += 1;
        }
        None
    }
}

impl GraphSpec {
    /// Returns the number of the node of this name.
    #[must_use]
    pub const fn node_index(&self, name: &str) -> Option<usize> {
        let mut node = 0;
        while node < self.nodes.len() {
            if str_eq(self.nodes[node].name, name) {
                return Some(node);
            }
            node += 1;
        }
        None
    }

    /// Returns the edges that leave a point, in the order of the graph.
    pub fn edges_from(&self, point: Point) -> impl Iterator<Item = &'static EdgeSpec> + use<> {
        self.edges.iter().filter(move |edge| edge.from == point)
    }

    /// Returns the edges that enter a point, in the order of the graph.
    pub fn edges_to(&self, point: Point) -> impl Iterator<Item = &'static EdgeSpec> + use<> {
        self.edges.iter().filter(move |edge| edge.to == point)
    }

    /// Returns the branches that contain a node, each with its fork, the outermost first.
    pub(crate) fn enclosing_branches(&self, node: usize) -> Vec<(usize, usize)> {
        let forks = self.forks.iter().enumerate();
        let inside = forks.filter_map(|(number, fork)| {
            let branch = fork.branches.iter().position(|branch| branch.nodes.contains(&node))?;
            Some((number, branch))
        });
        inside.collect()
    }

    /// Returns the maximum number of reviews of one thread that may be open at once. It is above one only if branches
    /// or items run concurrently.
    #[must_use]
    pub fn max_open_reviews(&self) -> usize {
        let nodes: Vec<usize> = (0..self.nodes.len()).collect();
        self.open_in(&nodes, 0)
    }

    /// Returns that maximum for these nodes. Except for forks with the number `first` or higher, they run one at a
    /// time.
    fn open_in(&self, nodes: &[usize], first: usize) -> usize {
        let alone = nodes.iter().any(|&node| self.nodes[node].interrupt.is_some());
        let inside = |from| match from {
            Point::Start => nodes.len() == self.nodes.len(),
            Point::Node(node) => nodes.contains(&node),
            Point::End => false,
        };
        let forks = (first..self.forks.len()).filter(|&fork| inside(self.forks[fork].from));
        forks
            .map(|fork| {
                let branches = self.forks[fork].branches.iter();
                let open: usize = branches.map(|branch| self.open_in(branch.nodes, fork + 1)).sum();
                open.saturating_mul(self.forks[fork].each.map_or(1, |_| MAX_ITEMS))
            })
            .fold(usize::from(alone), usize::max)
    }
}
