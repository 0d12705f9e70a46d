//! Counterexamples: the shortest path on which a fact does not hold.

use super::order::{Links, NONE, Side};
use super::{EachSpec, EdgeKind, EdgeSpec, GraphSpec, Point, Proof, sentence::Sentence};

/// The fact that a path must lack on arrival.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lacking {
    /// None: any path will do.
    Nothing,
    /// The path does not write this field.
    Written(usize),
    /// The path does not have this cover, or ends it before it arrives.
    Signed(usize),
}

/// The edges by which a path may arrive.
#[derive(Clone, Copy)]
pub(super) enum Last {
    /// Any edge that enters the point.
    Any,
    /// This edge.
    Only(usize),
    /// An edge that brings no `Rejection`.
    NoRejection,
    /// An edge that brings no `Question`.
    NoQuestion,
}

impl Last {
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
pub(super) enum Unsigned {
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
    Mixed,
    /// It was given; then a reducer combined the value with those that the items of this `for` wrote.
    Gathered(usize),
    /// It was given, but once for all items of this `for`.
    Item(usize),
}

/// A path from the start, stored as the next edge of each place on it. A place is a point, together with a flag: `true`
/// if the field in question is written, or the cover holds, on entry to the point.
pub(super) struct Path<const N: usize> {
    lacking: Lacking,
    there: bool,
    pub(super) steps: usize,
    start: u16,
    onward: [[u16; 2]; N],
}

impl<const N: usize> Path<N> {
    /// Returns the shortest path to a point, or `None` if there is none. The search goes backwards from the point.
    pub(super) const fn find(
        spec: &GraphSpec,
        proof: &Proof<N>,
        to: Point,
        last: Last,
        lacking: Lacking,
    ) -> Option<Self> {
        let mut path = Self {
            lacking,
            there: match lacking {
                Lacking::Written(field) => proof.start.entry.written.has(field),
                Lacking::Nothing | Lacking::Signed(_) => false,
            },
            steps: 0,
            start: NONE,
            onward: [[NONE; 2]; N],
        };
        let entering: Links<N> = Links::by(spec, Side::To);
        let (mut queue, mut head, mut tail) = ([[0; 2]; N], 0, 0);
        let mut far = [[1; 2]; N];
        // The place whose incoming edges are searched; the first one is the destination.
        let (mut point, mut there, mut steps) = (to, false, 0);
        loop {
            let mut next = entering.first(point);
            while next != NONE {
                let (number, edge) = (next, &spec.edges[next as usize]);
                next = entering.after(number);
                if steps == 0 && !last.allows(number as usize, edge) {
                    continue;
                }
                let mut before = 0;
                while before < 2 {
                    if cross(spec, proof, lacking, edge, before == 1) == there {
                        match edge.from {
                            Point::Node(node) if path.onward[node][before] == NONE => {
                                path.onward[node][before] = number;
                                far[node][before] = steps + 1;
                                queue[tail / 2][tail % 2] = node * 2 + before;
                                tail += 1;
                            }
                            Point::Start if path.there == (before == 1) => {
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
            let place = queue[head / 2][head % 2];
            head += 1;
            (point, there) = (Point::Node(place / 2), place % 2 == 1);
            steps = far[place / 2][place % 2];
        }
    }

    /// Appends the path to a message, without its middle if it is long.
    pub(super) const fn show(&self, spec: &GraphSpec, proof: &Proof<N>, text: &mut Sentence) {
        const ENDS: usize = 5;
        text.add(&["`start"]);
        let mut walk = self.walk();
        while let Some(edge) = self.advance(spec, proof, &mut walk) {
            let (before, after) = (self.steps - walk.left, walk.left);
            if before <= ENDS || after < ENDS || self.steps <= 2 * ENDS + 1 {
                match edge.kind {
                    EdgeKind::Reject => text.add(&[" -reject-> "]),
                    EdgeKind::Ask => text.add(&[" -ask-> "]),
                    EdgeKind::Expire => text.add(&[" -expire-> "]),
                    EdgeKind::Empty { fork } => text.add(&[" -empty ", spec.forks[fork].list(), "-> "]),
                    EdgeKind::Next | EdgeKind::Case { .. } | EdgeKind::Fork { .. } => text.add(&[" -> "]),
                }
                text.add(&[edge.to.name(spec)]);
            } else if after == ENDS {
                text.add(&[" -> …"]);
            }
        }
        text.add(&["`"]);
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
                let (body, mut place) = (spec.forks[fork].body(), 0);
                while place < body.len() {
                    if proof.nodes[body[place]].writes.has(field) {
                        return Some((body[place], each));
                    }
                    place += 1;
                }
            }
        }
        None
    }

    /// Returns the reason why the cover that the path was searched for does not hold at its end.
    pub(super) const fn unsigned(&self, spec: &GraphSpec, proof: &Proof<N>) -> Unsigned {
        let Lacking::Signed(number) = self.lacking else {
            return Unsigned::Never;
        };
        let cover = proof.covers.get(number);
        let (mut reason, mut walk) = (Unsigned::Never, self.walk());
        let mut signed = walk.there;
        while let Some(edge) = self.advance(spec, proof, &mut walk) {
            let from = proof.point(edge.from);
            let runs = !edge.kind.leaves_review();
            if !walk.there && (signed || (runs && from.gives.has(number))) {
                reason = match (edge.kind, edge.from) {
                    (_, Point::Node(node)) if runs && cover.node == node => Unsigned::Spent,
                    (_, Point::Node(node))
                        if runs && !from.ran.signs.has(number) && from.ran.unsigns.has(number) =>
                    {
                        match from.writes.and(cover.ends).first() {
                            Some(field) => Unsigned::Rewritten(node, field),
                            None => Unsigned::Replaced(node),
                        }
                    }
                    (_, Point::Node(node)) if !runs && from.stopped.unsigns.has(number) => {
                        Unsigned::Refused(node)
                    }
                    (EdgeKind::Fork { fork, .. }, _) => Unsigned::Item(fork),
                    (EdgeKind::Empty { fork }, _) => Unsigned::Gathered(fork),
                    _ => Unsigned::Mixed,
                };
            }
            signed = walk.there;
        }
        reason
    }

    const fn walk(&self) -> Walk {
        Walk { left: self.steps, next: self.start, there: self.there }
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
        walk.there = cross(spec, proof, self.lacking, edge, walk.there);
        if let Point::Node(node) = edge.to {
            walk.next = self.onward[node][walk.there as usize];
        }
        Some(edge)
    }
}

/// A position on a path.
struct Walk {
    left: usize,
    next: u16,
    there: bool,
}

/// Returns whether the field is written (or the cover holds) at the end of an edge, given whether it was on entry to
/// the point that the edge leaves.
///
/// At the end of a branch, the answer is `false` only if the join lacks the fact, too. If some branches touch the field
/// and others do not, only those that touch it count: the others do not explain why the fact is lacking.
const fn cross<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    lacking: Lacking,
    edge: &EdgeSpec,
    there: bool,
) -> bool {
    let step = proof.step(edge);
    let after = match lacking {
        Lacking::Nothing => return false,
        Lacking::Written(field) => there || step.writes.has(field),
        Lacking::Signed(cover) => (there && !step.unsigns.has(cover)) || step.signs.has(cover),
    };
    let Some((number, branch)) = edge.joins else {
        return after;
    };
    let (joined, fork) = (proof.joined(spec, number), proof.fork(number));
    let branch = proof.branch(number, branch);
    let (lacks, touches, touched) = match lacking {
        Lacking::Nothing => (false, false, false),
        Lacking::Written(field) => {
            (!joined.written.has(field) && !after, branch.touches.has(field), fork.touched.has(field))
        }
        Lacking::Signed(cover) => (
            !joined.signed.has(cover) && (!after || fork.unsigns.has(cover)),
            branch.spoils.has(cover),
            fork.spoiled.has(cover),
        ),
    };
    !lacks || (!touches && touched)
}
