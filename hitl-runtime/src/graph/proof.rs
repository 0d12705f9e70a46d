//! The proof: a data-flow analysis of the facts that hold at each point of a graph on every path to it.

use super::bit_set::BitSet;
use super::covers::Covers;
use super::facts::{Facts, Transfer};
use super::field_index::FieldIndex;
use super::forks::{BranchProof, ForkProof};
use super::traversal::{Adjacency, Direction, NO_EDGE, ReversePostorder};
use super::{EdgeKind, EdgeSpec, GraphSpec, NodeSpec, Point, ReadKind};

/// A node with its names resolved, and the facts proved about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeProof {
    /// The facts on entry.
    pub(super) entry: Facts,
    /// The transfer function of leaving by a verdict. The node has not run, but a field or signature that it lacks is
    /// reported at this node, and counts as present from here on, so that one mistake gives one message.
    pub(super) verdict_transfer: Transfer,
    /// The transfer function of leaving after the run. The field of a `match` after the node counts as written, for the
    /// same reason.
    pub(super) run_transfer: Transfer,
    /// The fields that it writes.
    pub(super) writes: BitSet,
    /// The fields that it takes as signed by another node's review.
    pub(super) approved: BitSet,
    /// The subset of `approved` that no review signs for the node.
    pub(super) uncovered: BitSet,
    /// The covers that its review gives.
    pub(super) gives: BitSet,
    /// The fields whose value the node may change: those that it writes, and the one that the operator of its review
    /// may edit.
    pub(super) touches: BitSet,
    /// The subset of `touches` that an earlier branch of the same fork touches, too, and that has no reducer.
    pub(super) races: BitSet,
    /// `true` if it runs once for each item of a list.
    pub(super) per_item: bool,
    /// `true` if some edge leads here without a `Rejection`.
    pub(super) without_rejection: bool,
    /// `true` if some edge leads here without a `Question`.
    pub(super) without_question: bool,
    /// `true` if `start` leads here.
    pub(super) reached: bool,
    /// `true` if it has a `reject` edge.
    pub(super) rejects: bool,
}

impl NodeProof {
    /// The proof of a node before its description is read.
    const BLANK: Self = Self {
        entry: Facts::TOP,
        verdict_transfer: Transfer::IDENTITY,
        run_transfer: Transfer::IDENTITY,
        writes: BitSet::EMPTY,
        approved: BitSet::EMPTY,
        uncovered: BitSet::EMPTY,
        gives: BitSet::EMPTY,
        touches: BitSet::EMPTY,
        races: BitSet::EMPTY,
        per_item: false,
        without_rejection: false,
        without_question: false,
        reached: false,
        rejects: false,
    };

    /// Resolves the names of a node. A name that is not a field is left out: rustc reports it where it is used. The
    /// covers depend on other nodes, too, and are added by [`Covers::from_spec`].
    pub(super) const fn new(node: &NodeSpec, index: &FieldIndex) -> Self {
        let mut own = None;
        if let Some(interrupt) = &node.interrupt {
            own = index.find(interrupt.field);
        }
        let (mut reads, mut approved, mut read) = (BitSet::EMPTY, BitSet::EMPTY, 0);
        while read < node.reads.len() {
            let field = index.find(node.reads[read].field);
            match (node.reads[read].kind, field) {
                (ReadKind::Required, Some(field)) => reads = reads.with(field),
                (ReadKind::Approved, Some(field)) => {
                    reads = reads.with(field);
                    approved = approved.with(field);
                }
                (ReadKind::Optional, _) | (_, None) => {}
            }
            read += 1;
        }
        if let Some(interrupt) = &node.interrupt {
            reads = reads.or(index.find_expressions(interrupt));
        }
        let writes = index.find_all(node.writes);
        let mut reviewed = BitSet::EMPTY;
        if let Some(own) = own {
            reviewed = reviewed.with(own);
        }
        reads = reads.or(reviewed);
        Self {
            verdict_transfer: Transfer { writes: reads, ..Transfer::IDENTITY },
            run_transfer: Transfer { writes: reads.or(writes), ..Transfer::IDENTITY },
            writes,
            approved: approved.minus(reviewed),
            touches: writes.or(reviewed),
            ..Self::BLANK
        }
    }

    /// Returns the transfer function of an edge of this kind, without that of a fork that the edge enters or bypasses.
    pub(super) const fn transfer(&self, kind: EdgeKind) -> Transfer {
        match kind {
            EdgeKind::Next | EdgeKind::Case { .. } | EdgeKind::Fork { .. } | EdgeKind::Empty { .. } => {
                self.run_transfer
            }
            EdgeKind::Reject | EdgeKind::Ask | EdgeKind::Expire => self.verdict_transfer,
        }
    }
}

/// The result of [`prove`] for a graph with `N` nodes.
#[derive(Clone, Debug)]
pub struct Proof<const N: usize> {
    /// The start, as a node that writes the inputs.
    pub(super) start: NodeProof,
    pub(super) nodes: [NodeProof; N],
    /// The `#[output]` fields.
    pub(super) outputs: BitSet,
    pub(super) covers: Covers,
    // Each branch begins with a node of its own, so there are at most as many branches, and forks, as nodes.
    pub(super) branches: [BranchProof; N],
    pub(super) forks: [ForkProof; N],
}

/// Computes which fields are written, and which signatures are valid for which node, on every path to each point of a
/// graph.
///
/// It reports nothing: [`check_node`](super::check_node) and the other checks do, each at the code that its message is
/// about.
///
/// # Panics
/// If `N` is not the number of the graph's nodes, or the graph has more edges than [`GraphSpec::MAX_EDGES`].
#[must_use]
#[track_caller]
pub const fn prove<const N: usize>(spec: &GraphSpec) -> Proof<N> {
    assert!(spec.nodes.len() == N, "`N` is the number of the graph's nodes");
    assert!(
        spec.edges.len() <= GraphSpec::MAX_EDGES,
        "a graph may have at most 16384 edges: split it into two"
    );
    let mut proof = Proof::new(spec);
    let leaving = Adjacency::new(spec, Direction::Outgoing);
    let order = ReversePostorder::new(spec, &leaving);
    let mut stale = [true; N];
    proof.propagate(spec, &leaving, Point::Start, &mut stale);
    let mut changed = true;
    while changed {
        changed = false;
        let mut i = order.first;
        while i < N {
            let node = order.nodes[i] as usize;
            if stale[node] {
                stale[node] = false;
                proof.nodes[node].reached = true;
                changed |= proof.propagate(spec, &leaving, Point::Node(node), &mut stale);
            }
            i += 1;
        }
    }
    proof
}

impl<const N: usize> Proof<N> {
    /// Computes everything that does not depend on paths.
    const fn new(spec: &GraphSpec) -> Self {
        let index = FieldIndex::new(&spec.state);
        let mut proof = Self {
            start: NodeProof::BLANK,
            nodes: [NodeProof::BLANK; N],
            outputs: BitSet::EMPTY,
            covers: Covers::EMPTY,
            branches: [BranchProof::BLANK; N],
            forks: [ForkProof::BLANK; N],
        };
        let (mut inputs, mut reduced, mut appended, mut field) =
            (BitSet::EMPTY, BitSet::EMPTY, BitSet::EMPTY, 0);
        while field < spec.state.fields.len() {
            let declared = &spec.state.fields[field];
            if declared.input {
                inputs = inputs.with(field);
            }
            if declared.output {
                proof.outputs = proof.outputs.with(field);
            }
            if declared.reduced {
                reduced = reduced.with(field);
            }
            if declared.appends {
                appended = appended.with(field);
            }
            field += 1;
        }
        proof.start.entry = Facts { written: inputs, signed: BitSet::EMPTY };
        let mut node = 0;
        while node < N {
            proof.nodes[node] = NodeProof::new(&spec.nodes[node], &index);
            node += 1;
        }
        proof.covers = Covers::from_spec(spec, &index, &mut proof.nodes);
        let mut route = 0;
        while route < spec.routes.len() {
            proof.assume_written(spec.routes[route].from, index.find(spec.routes[route].field));
            route += 1;
        }
        proof.add_forks(spec, &index, reduced, appended);
        proof
    }

    /// Counts a field as written after a point, because the `match` or `for` there reads it, and is reported if it is
    /// missing.
    pub(super) const fn assume_written(&mut self, point: Point, field: Option<usize>) {
        let run_transfer = match point {
            Point::Node(node) => &mut self.nodes[node].run_transfer,
            Point::Start | Point::End => &mut self.start.run_transfer,
        };
        if let Some(field) = field {
            run_transfer.writes = run_transfer.writes.with(field);
        }
    }

    /// Propagates the facts at a point along every edge that leaves it; returns whether the facts of any node changed.
    const fn propagate(
        &mut self,
        spec: &GraphSpec,
        leaving: &Adjacency<N>,
        point: Point,
        stale: &mut [bool; N],
    ) -> bool {
        let from = self.point(point);
        let ran = from.run_transfer.apply(from.entry);
        let mut changed = false;
        let mut next = leaving.first(point);
        while next != NO_EDGE {
            let edge = &spec.edges[next as usize];
            next = leaving.next(next);
            let mut facts = match edge.kind {
                EdgeKind::Next | EdgeKind::Case { .. } => ran,
                _ => self.carried(edge),
            };
            if let (EdgeKind::Reject, Point::Node(node)) = (edge.kind, point) {
                self.nodes[node].rejects = true;
            }
            if let Some((fork, branch)) = edge.joins {
                let branch = self.forks[fork].first + branch;
                self.branches[branch].end = self.branches[branch].end.meet(facts);
                facts = self.joined(spec, fork);
            }
            if let Point::Node(node) = edge.to {
                let to = &mut self.nodes[node];
                to.without_rejection = to.without_rejection || !edge.brings_rejection();
                to.without_question = to.without_question || !edge.brings_question();
                let entry = to.entry.meet(facts);
                if !entry.same(to.entry) {
                    to.entry = entry;
                    stale[node] = true;
                    changed = true;
                }
            }
        }
        changed
    }

    /// Returns the transfer function of an edge.
    pub(super) const fn transfer(&self, edge: &EdgeSpec) -> Transfer {
        let from = self.point(edge.from);
        match edge.kind {
            EdgeKind::Fork { fork, .. } => self.forks[fork].enter(&from.run_transfer),
            EdgeKind::Empty { fork } => self.forks[fork].bypass(&from.run_transfer),
            kind => from.transfer(kind),
        }
    }

    /// Returns the proof of a point that edges leave.
    pub(super) const fn point(&self, point: Point) -> &NodeProof {
        match point {
            Point::Node(node) => &self.nodes[node],
            Point::Start | Point::End => &self.start,
        }
    }

    /// Returns the facts that an edge carries, independent of other edges to the same point.
    pub(super) const fn carried(&self, edge: &EdgeSpec) -> Facts {
        self.transfer(edge).apply(self.point(edge.from).entry)
    }
}
