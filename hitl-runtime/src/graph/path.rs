//! The shortest path that shows why something does not hold.

use super::order::{Links, NONE, Side};
use super::{EachSpec, EdgeKind, EdgeSpec, GraphSpec, Point, Proof, sentence::Sentence};

/// What a path must not have done on its arrival.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lacking {
    /// Any path will do.
    Nothing,
    /// It has not written this field.
    Written(usize),
    /// It does not have this cover, or no longer.
    Signed(usize),
}

/// By which edge a path must arrive.
#[derive(Clone, Copy)]
pub(super) enum Last {
    /// By any that enters the point.
    Any,
    /// By this one.
    Only(usize),
    /// By one that brings no `Rejection`.
    NoRejection,
    /// By one that brings no `Question`.
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

/// Why a cover does not hold at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsigned {
    /// It never was.
    Never,
    /// It was; then this node wrote this field, which was signed or shown.
    Rewritten(usize, usize),
    /// It was; then the effect ran on it.
    Spent,
    /// It was; then the review before this node signed the field anew, and not for this effect.
    Replaced(usize),
    /// It was; then whoever was asked before this node did not sign the field again.
    Refused(usize),
    /// It was; then a reducer made one value of those that several branches wrote.
    Mixed,
    /// It was; then a reducer joined it with what the items of this `for` wrote.
    Gathered(usize),
    /// It was, once for all items of this `for`.
    Item(usize),
}

/// A path from the start, as for each place on it the edge that leads on. A place is a point and whether the field in
/// question is there (written), or the cover, when it is entered.
pub(super) struct Path<const N: usize> {
    lacking: Lacking,
    there: bool,
    pub(super) steps: usize,
    start: u16,
    onward: [[u16; 2]; N],
}

impl<const N: usize> Path<N> {
    /// The shortest path to a point; `None` if there is none. It searches from the point backwards.
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
        // The place whose edges are looked at; the first time, the goal itself.
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

    /// Writes the path into a sentence, its middle left out if it is long.
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

    /// Whether the path passes through a node.
    pub(super) const fn passes(&self, spec: &GraphSpec, proof: &Proof<N>, node: usize) -> bool {
        let mut walk = self.walk();
        while let Some(edge) = self.advance(spec, proof, &mut walk) {
            if matches!(edge.to, Point::Node(to) if to == node) {
                return true;
            }
        }
        false
    }

    /// A node that writes a field inside a `for` which the path passes by, as if its list were empty.
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

    /// Why the cover that the path was searched for does not hold at its end.
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

    /// The next edge of the path.
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

/// How far a path has been followed.
struct Walk {
    left: usize,
    next: u16,
    there: bool,
}

/// Whether the field is there at the end of an edge, if it was, or was not, when the point it leaves was entered.
///
/// A path through a fork is blamed only for what the join lacks, and where some branches touch the field and others do not,
/// only by those that do: that a bystander left the field alone explains nothing.
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
