//! The edges of a graph by point, and the order in which the proof visits the nodes.

use super::{GraphSpec, Point};

/// The number that ends a chain of edges.
pub(super) const NONE: u16 = u16::MAX;

/// One of the two ends of an edge.
#[derive(Clone, Copy)]
pub(super) enum Side {
    /// The point that it leaves.
    From,
    /// The point that it enters.
    To,
}

/// The edges of a graph in linked lists, one for each point at the chosen end.
pub(super) struct Links<const N: usize> {
    outside: u16,
    nodes: [u16; N],
    next: [u16; GraphSpec::MAX_EDGES],
}

impl<const N: usize> Links<N> {
    /// Links the edges by this end, each list in the order of the graph's edges.
    pub(super) const fn by(spec: &GraphSpec, side: Side) -> Self {
        let mut links = Self { outside: NONE, nodes: [NONE; N], next: [NONE; GraphSpec::MAX_EDGES] };
        let mut edge = spec.edges.len();
        while edge > 0 {
            edge -= 1;
            let point = match side {
                Side::From => spec.edges[edge].from,
                Side::To => spec.edges[edge].to,
            };
            let first = match point {
                Point::Node(node) => &mut links.nodes[node],
                Point::Start | Point::End => &mut links.outside,
            };
            links.next[edge] = *first;
            *first = edge as u16;
        }
        links
    }

    /// Returns the first edge at a point, or [`NONE`].
    pub(super) const fn first(&self, point: Point) -> u16 {
        match point {
            Point::Node(node) => self.nodes[node],
            Point::Start | Point::End => self.outside,
        }
    }

    /// Returns the edge after `edge` at the same point, or [`NONE`].
    pub(super) const fn after(&self, edge: u16) -> u16 {
        self.next[edge as usize]
    }
}

/// The nodes reachable from `start`, each before its successors as far as loops allow (reverse postorder). Facts then
/// flow through the graph in one sweep, plus one for each nested loop.
pub(super) struct Order<const N: usize> {
    /// The nodes, from index `first` on.
    pub(super) nodes: [u16; N],
    /// The index of the first node in `nodes`.
    pub(super) first: usize,
}

impl<const N: usize> Order<N> {
    /// Walks the graph depth first, along edges linked by [`Side::From`].
    pub(super) const fn of(spec: &GraphSpec, leaving: &Links<N>) -> Self {
        let mut order = Self { nodes: [0; N], first: N };
        let mut seen = [false; N];
        let mut stack = [0; N];
        let mut depth = 0;
        let (mut at_start, mut at_node) = (leaving.outside, leaving.nodes);
        loop {
            let edge = if depth == 0 { &mut at_start } else { &mut at_node[stack[depth - 1] as usize] };
            if *edge != NONE {
                let to = spec.edges[*edge as usize].to;
                *edge = leaving.after(*edge);
                if let Point::Node(node) = to
                    && !seen[node]
                {
                    seen[node] = true;
                    stack[depth] = node as u16;
                    depth += 1;
                }
            } else if depth > 0 {
                depth -= 1;
                order.first -= 1;
                order.nodes[order.first] = stack[depth];
            } else {
                return order;
            }
        }
    }
}
