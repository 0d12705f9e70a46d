//! In which order the nodes of a graph are best looked at.

use super::{GraphSpec, Point};

/// No edge.
pub(super) const NONE: u16 = u16::MAX;

/// Which end of an edge.
#[derive(Clone, Copy)]
pub(super) enum Side {
    /// The point it leaves.
    From,
    /// The point it enters.
    To,
}

/// The edges of a graph, chained by the point at one of their ends.
pub(super) struct Links<const N: usize> {
    outside: u16,
    nodes: [u16; N],
    next: [u16; GraphSpec::MAX_EDGES],
}

impl<const N: usize> Links<N> {
    /// Chains the edges by this end, each chain in the order of the graph's edges.
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

    /// The first edge at a point, or [`NONE`].
    pub(super) const fn first(&self, point: Point) -> u16 {
        match point {
            Point::Node(node) => self.nodes[node],
            Point::Start | Point::End => self.outside,
        }
    }

    /// The edge after `edge` at the same point, or [`NONE`].
    pub(super) const fn after(&self, edge: u16) -> u16 {
        self.next[edge as usize]
    }
}

/// The nodes that `start` leads to, each before those it leads to, as far as loops allow (reverse postorder): facts then
/// flow through the graph in one sweep, and one more for each loop inside a loop.
pub(super) struct Order<const N: usize> {
    /// The nodes, from `first` on.
    pub(super) nodes: [u16; N],
    /// Where in `nodes` the first one stands.
    pub(super) first: usize,
}

impl<const N: usize> Order<N> {
    /// Walks the graph depth first, by edges chained by [`Side::From`].
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
