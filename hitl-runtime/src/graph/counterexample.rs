//! Counterexamples: the shortest path on which a fact does not hold.

use super::const_string::ConstString;
use super::traversal::{Adjacency, Direction, NO_EDGE};
use super::{EachSpec, EdgeKind, EdgeSpec, GraphSpec, Point, Proof};

/// The fact that a path must lack on arrival.
#[derive(Clone, Copy, Debug)]
pub(super) enum MissingFact {
    /// None: any path will do.
    None,
    /// The path does not write this field.
    Written(usize),
    /// The path does not have this cover, or ends it before it arrives.
    Signed(usize),
}

/// The edges by which a path may arrive.
#[derive(Clone, Copy)]
pub(super) enum LastEdge {
    /// Any edge that enters the point.
    Any,
    /// This edge.
    Only(usize),
    /// An edge that brings no `Rejection`.
    NoRejection,
    /// An edge that brings no `Question`.
    NoQuestion,
}

impl LastEdge {
    const fn allows(self, number: usize, edge: &EdgeSpec) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => only == number,
            Self::NoRejection => !edge.brings_rejection(),
            Self::NoQuestion => !edge.brings_question(),
        }
    }
}

/// The reason why a cover does not hold at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnsignedReason {
    /// It was never given.
    Never,
    /// It was given; then this node wrote this field, which was signed or shown.
    Rewritten(usize, usize),
    /// It was given; then the effect ran on it.
    Spent,
    /// It was given; then the review before this node signed the field again, but not for this effect.
    Replaced(usize),
    /// It was given; then the review before this node was rejected, expired, or answered with a question.
    Refused(usize),
    /// It was given; then a reducer combined the values that several branches wrote.
    Merged,
    /// It was given; then a reducer combined the value with those that the items of this `for` wrote.
    MergedItems(usize),
    /// It was given, but once for all items of this `for`.
    Item(usize),
}

/// A path from the start, stored as the next edge of each state on it. A state is a point, together with a flag: `true`
/// if the field in question is written, or the cover holds, on entry to the point.
pub(super) struct Path<const N: usize> {
    lacking: MissingFact,
    holds: bool,
    pub(super) steps: usize,
    start: u16,
    next_edge: [[u16; 2]; N],
}

impl<const N: usize> Path<N> {
    /// Returns the shortest path to a point, or `None` if there is none. The search goes backwards from the point.
    pub(super) const fn find(
        spec: &GraphSpec,
        proof: &Proof<N>,
        to: Point,
        last: LastEdge,
        lacking: MissingFact,
    ) -> Option<Self> {
        let mut path = Self {
            lacking,
            holds: match lacking {
                MissingFact::Written(field) => proof.start.entry.written.contains(field),
                MissingFact::None | MissingFact::Signed(_) => false,
            },
            steps: 0,
            start: NO_EDGE,
            next_edge: [[NO_EDGE; 2]; N],
        };
        let entering: Adjacency<N> = Adjacency::new(spec, Direction::Incoming);
        let (mut queue, mut head, mut tail) = ([[0; 2]; N], 0, 0);
        let mut distance = [[1; 2]; N];
        // The state whose incoming edges are searched; the first one is the destination.
        let (mut point, mut holds, mut steps) = (to, false, 0);
        loop {
            let mut next = entering.first(point);
            while next != NO_EDGE {
                let (number, edge) = (next, &spec.edges[next as usize]);
                next = entering.next(number);
                if steps == 0 && !last.allows(number as usize, edge) {
                    continue;
                }
                let mut before = 0;
                while before < 2 {
                    if holds_after(spec, proof, lacking, edge, before == 1) == holds {
                        match edge.from {
                            Point::Node(node) if path.next_edge[node][before] == NO_EDGE => {
                                path.next_edge[node][before] = number;
                                distance[node][before] = steps + 1;
                                queue[tail / 2][tail % 2] = node * 2 + before;
                                tail += 1;
                            }
                            Point::Start if path.holds == (before == 1) => {
                                path.start = number;
                                path.steps = steps + 1;
                                return Some(path);
                            }
                            Point::Node(_) | Point::Start | Point::End => {}
                        }
                    }
                    before += 1;
                }
            }
            if head == tail {
                return None;
            }
            let state = queue[head / 2][head % 2];
            head += 1;
            (point, holds) = (Point::Node(state / 2), state % 2 == 1);
            steps = distance[state / 2][state % 2];
        }
    }

    /// Appends the path to a message, without its middle if it is long.
    pub(super) const fn append_to(&self, spec: &GraphSpec, proof: &Proof<N>, text: &mut ConstString) {
        const ENDS: usize = 5;
        text.push_all(&["`start"]);
        let mut walk = self.walk();
        while let Some(edge) = self.advance(spec, proof, &mut walk) {
            let (before, after) = (self.steps - walk.left, walk.left);
            if before <= ENDS || after < ENDS || self.steps <= 2 * ENDS + 1 {
                match edge.kind {
                    EdgeKind::Reject => text.push_all(&[" -reject-> "]),
                    EdgeKind::Ask => text.push_all(&[" -ask-> "]),
                    EdgeKind::Expire => text.push_all(&[" -expire-> "]),
                    EdgeKind::Empty { fork } => text.push_all(&[" -empty ", spec.forks[fork].list(), "-> "]),
                    EdgeKind::Next | EdgeKind::Case { .. } | EdgeKind::Fork { .. } => {
                        text.push_all(&[" -> "])
                    }
                }
                text.push_all(&[edge.to.name(spec)]);
            } else if after == ENDS {
                text.push_all(&[" -> …"]);
            }
        }
        text.push_all(&["`"]);
    }

    /// Returns whether the path passes through a node.
    pub(super) const fn passes(&self, spec: &GraphSpec, proof: &Proof<N>, node: usize) -> bool {
        let mut walk = self.walk();
        while let Some(edge) = self.advance(spec, proof, &mut walk) {
            if matches!(edge.to, Point::Node(to) if to == node) {
                return true;
            }
        }
        false
    }

    /// Returns a node that writes a field inside a `for` which the path bypasses, as with an empty list, and that
    /// `for`.
    pub(super) const fn writer_inside(
        &self,
        spec: &GraphSpec,
        proof: &Proof<N>,
        field: usize,
    ) -> Option<(usize, &'static EachSpec)> {
        let mut walk = self.walk();
        while let Some(edge) = self.advance(spec, proof, &mut walk) {
            if let EdgeKind::Empty { fork } = edge.kind
                && let Some(each) = &spec.forks[fork].each
            {
                let (body, mut i) = (spec.forks[fork].body(), 0);
                while i < body.len() {
                    if proof.nodes[body[i]].writes.contains(field) {
                        return Some((body[i], each));
                    }
                    i += 1;
                }
            }
        }
        None
    }

    /// Returns the reason why the cover that the path was searched for does not hold at its end.
    pub(super) const fn unsigned_reason(&self, spec: &GraphSpec, proof: &Proof<N>) -> UnsignedReason {
        let MissingFact::Signed(number) = self.lacking else {
            return UnsignedReason::Never;
        };
        let cover = proof.covers.get(number);
        let (mut reason, mut walk) = (UnsignedReason::Never, self.walk());
        let mut signed = walk.holds;
        while let Some(edge) = self.advance(spec, proof, &mut walk) {
            let from = proof.point(edge.from);
            let runs = !edge.kind.leaves_review();
            if !walk.holds && (signed || (runs && from.gives.contains(number))) {
                reason = match (edge.kind, edge.from) {
                    (_, Point::Node(node)) if runs && cover.node == node => UnsignedReason::Spent,
                    (_, Point::Node(node))
                        if runs
                            && !from.run_transfer.signs.contains(number)
                            && from.run_transfer.unsigns.contains(number) =>
                    {
                        match from.writes.and(cover.ends).first() {
                            Some(field) => UnsignedReason::Rewritten(node, field),
                            None => UnsignedReason::Replaced(node),
                        }
                    }
                    (_, Point::Node(node)) if !runs && from.verdict_transfer.unsigns.contains(number) => {
                        UnsignedReason::Refused(node)
                    }
                    (EdgeKind::Fork { fork, .. }, _) => UnsignedReason::Item(fork),
                    (EdgeKind::Empty { fork }, _) => UnsignedReason::MergedItems(fork),
                    _ => UnsignedReason::Merged,
                };
            }
            signed = walk.holds;
        }
        reason
    }

    const fn walk(&self) -> Walk {
        Walk { left: self.steps, next: self.start, holds: self.holds }
    }

    /// Moves along the next edge of the path, and returns it.
    const fn advance(
        &self,
        spec: &GraphSpec,
        proof: &Proof<N>,
        walk: &mut Walk,
    ) -> Option<&'static EdgeSpec> {
        if walk.left == 0 {
            return None;
        }
        let edge = &spec.edges[walk.next as usize];
        walk.left -= 1;
        walk.holds = holds_after(spec, proof, self.lacking, edge, walk.holds);
        if let Point::Node(node) = edge.to {
            walk.next = self.next_edge[node][walk.holds as usize];
        }
        Some(edge)
    }
}

/// A position on a path.
struct Walk {
    left: usize,
    next: u16,
    holds: bool,
}

/// Returns whether the field is written (or the cover holds) at the end of an edge, given whether it was on entry to
/// the point that the edge leaves.
///
/// At the end of a branch, the answer is `false` only if the join lacks the fact, too. If some branches touch the field
/// and others do not, only those that touch it count: the others do not explain why the fact is lacking.
const fn holds_after<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    lacking: MissingFact,
    edge: &EdgeSpec,
    holds: bool,
) -> bool {
    let transfer = proof.transfer(edge);
    let after = match lacking {
        MissingFact::None => return false,
        MissingFact::Written(field) => holds || transfer.writes.contains(field),
        MissingFact::Signed(cover) => {
            (holds && !transfer.unsigns.contains(cover)) || transfer.signs.contains(cover)
        }
    };
    let Some((number, branch)) = edge.joins else {
        return after;
    };
    let (joined, fork) = (proof.joined(spec, number), proof.fork(number));
    let branch = proof.branch(number, branch);
    let (lacks, touches, touched) = match lacking {
        MissingFact::None => (false, false, false),
        MissingFact::Written(field) => (
            !joined.written.contains(field) && !after,
            branch.touches.contains(field),
            fork.touched.contains(field),
        ),
        MissingFact::Signed(cover) => (
            !joined.signed.contains(cover) && (!after || fork.unsigns.contains(cover)),
            branch.ended_covers.contains(cover),
            fork.ended_covers.contains(cover),
        ),
    };
    !lacks || (!touches && touched)
}
