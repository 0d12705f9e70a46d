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
    /// It has not had this field signed, or has written it since.
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

/// Why a field is not signed at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsigned {
    /// It never was.
    Never,
    /// It was; then this node wrote it.
    Rewritten(usize),
    /// It was; then a reducer made one value of those that several branches wrote.
    Mixed,
    /// It was; then a reducer joined it with what the items of this `for` wrote.
    Gathered(usize),
    /// Another value of the field was: it is the item of this `for`.
    Item(usize),
}

/// A path from the start, as for each place on it the edge that leads on. A place is a point and whether the field in
/// question is there (written, or signed) when it is entered.
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
                    if proof.nodes[body[place]].ran.unsigns.has(field) {
                        return Some((body[place], each));
                    }
                    place += 1;
                }
            }
        }
        None
    }

    /// Why the field that the path was searched for is not signed at its end.
    pub(super) const fn unsigned(&self, spec: &GraphSpec, proof: &Proof<N>) -> Unsigned {
        let Lacking::Signed(field) = self.lacking else {
            return Unsigned::Never;
        };
        let (mut reason, mut walk) = (Unsigned::Never, self.walk());
        let mut signed = walk.there;
        while let Some(edge) = self.advance(spec, proof, &mut walk) {
            let from = proof.point(edge.from);
            if !walk.there && (signed || proof.step(edge).signs.has(field)) {
                reason = match (edge.kind, edge.from) {
                    (kind, Point::Node(node)) if !kind.leaves_review() && from.ran.unsigns.has(field) => {
                        Unsigned::Rewritten(node)
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
    let (field, after) = match lacking {
        Lacking::Nothing => return false,
        Lacking::Written(field) => (field, there || step.writes.has(field)),
        Lacking::Signed(field) => (field, (there || step.signs.has(field)) && !step.unsigns.has(field)),
    };
    let Some((fork, branch)) = edge.joins else {
        return after;
    };
    let (joined, touches) = (proof.joined(spec, fork), proof.branch(fork, branch).touches.has(field));
    let lacks = match lacking {
        Lacking::Signed(_) => !joined.signed.has(field) && (!after || proof.fork(fork).mixed.has(field)),
        _ => !joined.written.has(field) && !after,
    };
    !lacks || (!touches && proof.fork(fork).touched.has(field))
}
