//! Traversal of a graph in `const fn`: the edges at each point, and the order in which the proof visits the nodes.

use super::{GraphSpec, Point};

/// The number that ends a list of edges.
pub(super) const NO_EDGE: u16 = u16::MAX;

/// The edges of a point that an [`Adjacency`] contains.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    /// The edges that leave it.
    Outgoing,
    /// The edges that enter it.
    Incoming,
}

/// The edges of a graph in linked lists, one for each point.
pub(super) struct Adjacency<const N: usize> {
    outside: u16,
    nodes: [u16; N],
    next: [u16; GraphSpec::MAX_EDGES],
}

impl<const N: usize> Adjacency<N> {
    /// Links the edges of each point in this direction, in the order of the graph's edges.
    pub(super) const fn new(spec: &GraphSpec, direction: Direction) -> Self {
        let mut lists = Self { outside: NO_EDGE, nodes: [NO_EDGE; N], next: [NO_EDGE; GraphSpec::MAX_EDGES] };
        let mut edge = spec.edges.len();
        while edge > 0 {
            edge -= 1;
            let point = match direction {
                Direction::Outgoing => spec.edges[edge].from,
                Direction::Incoming => spec.edges[edge].to,
            };
            let first = match point {
                Point::Node(node) => &mut lists.nodes[node],
                Point::Start | Point::End => &mut lists.outside,
            };
            lists.next[edge] = *first;
            *first = edge as u16;
        }
        lists
    }

    /// Returns the first edge at a point, or [`NO_EDGE`].
    pub(super) const fn first(&self, point: Point) -> u16 {
        match point {
            Point::Node(node) => self.nodes[node],
            Point::Start | Point::End => self.outside,
        }
    }

    /// Returns the edge after `edge` at the same point, or [`NO_EDGE`].
    pub(super) const fn next(&self, edge: u16) -> u16 {
        self.next[edge as usize]
    }
}

/// The nodes reachable from `start`, each before its successors as far as loops allow (reverse postorder). Facts then
/// flow through the graph in one sweep, plus one for each nested loop.
pub(super) struct ReversePostorder<const N: usize> {
    /// The nodes, from index `first` on.
    pub(super) nodes: [u16; N],
    /// The index of the first node in `nodes`.
    pub(super) first: usize,
}

impl<const N: usize> ReversePostorder<N> {
    /// Walks the graph depth first, along the edges in `leaving`, an adjacency in [`Direction::Outgoing`].
    pub(super) const fn new(spec: &GraphSpec, leaving: &Adjacency<N>) -> Self {
        let mut order = Self { nodes: [0; N], first: N };
        let mut seen = [false; N];
        let mut stack = [0; N];
        let mut depth = 0;
        let (mut at_start, mut at_node) = (leaving.outside, leaving.nodes);
        loop {
            let edge = if depth == 0 { &mut at_start } else { &mut at_node[stack[depth - 1] as usize] };
            if *edge != NO_EDGE {
                let to = spec.edges[*edge as usize].to;
                *edge = leaving.next(*edge);
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
