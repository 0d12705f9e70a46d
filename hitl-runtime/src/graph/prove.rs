//! What holds at every point of a graph, whatever path led there.

use super::bits::Bits;
use super::covers::Covers;
use super::facts::{Facts, Step};
use super::names::Names;
use super::order::{Links, NONE, Order, Side};
use super::sides::{BranchProof, ForkProof};
use super::{EdgeKind, EdgeSpec, GraphSpec, NodeSpec, Point, ReadKind};

/// One node, its names resolved, and what is proved of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeProof {
    /// What holds when it is entered.
    pub(super) entry: Facts,
    /// What leaving by a verdict does: the node has not run, but what it reads was looked at, and is reported at this
    /// node if it was missing. From here on it counts as there, so that one mistake is one message.
    pub(super) stopped: Step,
    /// What leaving after the run does. The field of a `match` after the node counts as written, for the same reason.
    pub(super) ran: Step,
    /// The fields that it writes.
    pub(super) writes: Bits,
    /// The fields that it takes as signed by another node's review.
    pub(super) approved: Bits,
    /// Those of them that no review signs for it.
    pub(super) uncovered: Bits,
    /// The covers that its review gives.
    pub(super) gives: Bits,
    /// The fields whose value may be another one after the node: those it writes, and the one that the operator of its
    /// review may edit.
    pub(super) touches: Bits,
    /// Those of them that an earlier branch of the same fork touches too, and no reducer joins.
    pub(super) races: Bits,
    /// Whether it runs once for each item of some list.
    pub(super) of_items: bool,
    /// Whether an edge leads here that brings no `Rejection`.
    pub(super) without_rejection: bool,
    /// Whether an edge leads here that brings no `Question`.
    pub(super) without_question: bool,
    /// Whether `start` leads here at all.
    pub(super) reached: bool,
    /// Whether it has a `reject` edge.
    pub(super) rejects: bool,
}

impl NodeProof {
    /// A node of which nothing has been read yet.
    const BLANK: Self = Self {
        entry: Facts::ANYTHING,
        stopped: Step::NOTHING,
        ran: Step::NOTHING,
        writes: Bits::NONE,
        approved: Bits::NONE,
        uncovered: Bits::NONE,
        gives: Bits::NONE,
        touches: Bits::NONE,
        races: Bits::NONE,
        of_items: false,
        without_rejection: false,
        without_question: false,
        reached: false,
        rejects: false,
    };

    /// Resolves the names of a node. A name that is no field is left out: rustc reports it where it stands. What it does
    /// to signatures depends on the other nodes, too: [`Covers::read`] says it.
    pub(super) const fn of(node: &NodeSpec, names: &Names) -> Self {
        let mut own = None;
        if let Some(interrupt) = &node.interrupt {
            own = names.find(interrupt.field);
        }
        let (mut reads, mut approved, mut read) = (Bits::NONE, Bits::NONE, 0);
        while read < node.reads.len() {
            let field = names.find(node.reads[read].field);
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
        let (mut writes, mut write) = (Bits::NONE, 0);
        while write < node.writes.len() {
            if let Some(field) = names.find(node.writes[write]) {
                writes = writes.with(field);
            }
            write += 1;
        }
        let mut reviewed = Bits::NONE;
        if let Some(own) = own {
            reviewed = reviewed.with(own);
        }
        reads = reads.or(reviewed);
        Self {
            stopped: Step { writes: reads, ..Step::NOTHING },
            ran: Step { writes: reads.or(writes), ..Step::NOTHING },
            writes,
            approved: approved.minus(reviewed),
            touches: writes.or(reviewed),
            ..Self::BLANK
        }
    }

    /// What leaving by an edge of this kind does, whatever it leads into.
    pub(super) const fn step(&self, kind: EdgeKind) -> Step {
        match kind {
            EdgeKind::Next | EdgeKind::Case { .. } | EdgeKind::Fork { .. } | EdgeKind::Empty { .. } => {
                self.ran
            }
            EdgeKind::Reject | EdgeKind::Ask | EdgeKind::Expire => self.stopped,
        }
    }
}

/// What [`prove`] found out of a graph with `N` nodes.
#[derive(Clone, Debug)]
pub struct Proof<const N: usize> {
    /// The start, as a node that writes the inputs.
    pub(super) start: NodeProof,
    pub(super) nodes: [NodeProof; N],
    /// The `#[output]` fields.
    pub(super) outputs: Bits,
    pub(super) covers: Covers,
    // A branch begins with a node that begins no other, so there are at most as many branches, and forks, as nodes.
    pub(super) branches: [BranchProof; N],
    pub(super) forks: [ForkProof; N],
}

/// Finds out which fields are written, and which are signed for whom, on every path to each point of a graph.
///
/// It judges nothing: [`check_node`](super::check_node) and its kin do, each where its sentence belongs.
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
    let mut proof = Proof::of(spec);
    let leaving = Links::by(spec, Side::From);
    let order = Order::of(spec, &leaving);
    let mut stale = [true; N];
    proof.leave(spec, &leaving, Point::Start, &mut stale);
    let mut moved = true;
    while moved {
        moved = false;
        let mut place = order.first;
        while place < N {
            let node = order.nodes[place] as usize;
            if stale[node] {
                stale[node] = false;
                proof.nodes[node].reached = true;
                moved |= proof.leave(spec, &leaving, Point::Node(node), &mut stale);
            }
            place += 1;
        }
    }
    proof
}

impl<const N: usize> Proof<N> {
    /// Everything that can be said before anything flows.
    const fn of(spec: &GraphSpec) -> Self {
        let names = Names::of(&spec.state);
        let mut proof = Self {
            start: NodeProof::BLANK,
            nodes: [NodeProof::BLANK; N],
            outputs: Bits::NONE,
            covers: Covers::NONE,
            branches: [BranchProof::BLANK; N],
            forks: [ForkProof::BLANK; N],
        };
        let (mut inputs, mut reduced, mut appended, mut field) = (Bits::NONE, Bits::NONE, Bits::NONE, 0);
        while field < spec.state.fields.len() {
            let told = &spec.state.fields[field];
            if told.input {
                inputs = inputs.with(field);
            }
            if told.output {
                proof.outputs = proof.outputs.with(field);
            }
            if told.reduced {
                reduced = reduced.with(field);
            }
            if told.appends {
                appended = appended.with(field);
            }
            field += 1;
        }
        proof.start.entry = Facts { written: inputs, signed: Bits::NONE };
        let mut node = 0;
        while node < N {
            proof.nodes[node] = NodeProof::of(&spec.nodes[node], &names);
            node += 1;
        }
        proof.covers = Covers::read(spec, &names, &mut proof.nodes);
        let mut route = 0;
        while route < spec.routes.len() {
            proof.looks_at(spec.routes[route].from, names.find(spec.routes[route].field));
            route += 1;
        }
        proof.side_by_side(spec, &names, reduced, appended);
        proof
    }

    /// What follows a point looks at a field, and is reported if it was missing: from there on it counts as there.
    pub(super) const fn looks_at(&mut self, point: Point, field: Option<usize>) {
        let ran = match point {
            Point::Node(node) => &mut self.nodes[node].ran,
            Point::Start | Point::End => &mut self.start.ran,
        };
        if let Some(field) = field {
            ran.writes = ran.writes.with(field);
        }
    }

    /// Lets what is known at a point flow along every edge that leaves it; says whether anything new came of it.
    const fn leave(
        &mut self,
        spec: &GraphSpec,
        leaving: &Links<N>,
        point: Point,
        stale: &mut [bool; N],
    ) -> bool {
        let from = self.point(point);
        let ran = from.ran.after(from.entry);
        let mut moved = false;
        let mut next = leaving.first(point);
        while next != NONE {
            let edge = &spec.edges[next as usize];
            next = leaving.after(next);
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
                    moved = true;
                }
            }
        }
        moved
    }

    /// What leaving by an edge does.
    pub(super) const fn step(&self, edge: &EdgeSpec) -> Step {
        let from = self.point(edge.from);
        match edge.kind {
            EdgeKind::Fork { fork, .. } => self.forks[fork].enter(&from.ran),
            EdgeKind::Empty { fork } => self.forks[fork].pass(&from.ran),
            kind => from.step(kind),
        }
    }

    /// What is known of a point that edges leave.
    pub(super) const fn point(&self, point: Point) -> &NodeProof {
        match point {
            Point::Node(node) => &self.nodes[node],
            Point::Start | Point::End => &self.start,
        }
    }

    /// What is known at the end of an edge, whatever else leads there.
    pub(super) const fn carried(&self, edge: &EdgeSpec) -> Facts {
        self.step(edge).after(self.point(edge.from).entry)
    }
}
