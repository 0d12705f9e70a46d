//! The run-time check of a thread's remaining path through a graph: the fields and signatures that it may lack.
//!
//! [`prove`](super::prove) computes the facts of every path from `start`. A thread that began under other code may have
//! taken none of these paths, so the same analysis runs again from its present position, with the facts that it has.
//!
//! A lane is the thread itself, one branch of a fork, or one item of a `for`.

use std::collections::BTreeSet;

use super::bit_set::BitSet;
use super::covers::Covers;
use super::facts::{Facts, Transfer};
use super::field_index::FieldIndex;
use super::forks::ForkProof;
use super::proof::NodeProof;
use super::{BranchSpec, EdgeKind, EdgeSpec, GraphSpec, Point};

/// The position of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LanePosition {
    /// Before a node: if the node has a review, it can still be rejected.
    Before(usize),
    /// At a node that runs or is about to run: its review, if it has one, is over.
    At(usize),
    /// At the join of its fork, waiting for its siblings.
    Joined,
    /// Waiting for its own branches, which meet at this point.
    Forked(Point),
    /// Ended.
    Ended,
}

/// A lane, with the facts that the check of its remaining path needs.
#[derive(Clone, Debug)]
pub(crate) struct LaneFacts<'a> {
    pub(crate) id: u32,
    pub(crate) parent: Option<u32>,
    pub(crate) position: LanePosition,
    /// The fields that are written.
    pub(crate) written: Vec<&'a str>,
    /// The valid signatures: each a node that may run on it, and the signed field.
    pub(crate) signed: Vec<(usize, &'a str)>,
    /// The fields that it has changed since its fork.
    pub(crate) touched: Vec<&'a str>,
    /// Set while items of a `for` run in it: the lists that are written once the items have joined.
    pub(crate) appended_lists: Option<Vec<&'a str>>,
}

/// A fact that a thread may lack at some point ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UnmetRequirement {
    /// A node, or a `match` or `for` after it, reads this field, and some path to it does not write the field.
    Unwritten { node: &'static str, field: &'static str },
    /// A node takes this field as approved, and on some path to it there is no signature of the field for this node.
    Unsigned { node: &'static str, field: &'static str },
    /// Some path ends without this output.
    Output { field: &'static str },
}

/// Returns everything that the lanes of a thread may lack on some path to the end. The lanes must be compatible with
/// the graph.
pub(crate) fn unmet_requirements(spec: &GraphSpec, lanes: &[LaneFacts<'_>]) -> BTreeSet<UnmetRequirement> {
    let mut check = ResumeCheck::new(spec);
    for root in lanes.iter().filter(|lane| lane.parent.is_none()) {
        check.lane(lanes, root);
    }
    check.unmet
}

/// Returns the node of the first review that the present value of a field comes to, if no node overwrites it before.
pub(crate) fn next_review(spec: &GraphSpec, from: LanePosition, field: &str) -> Option<&'static str> {
    let writes = |node: usize| spec.nodes[node].writes.contains(&field);
    let mut seen = vec![false; spec.nodes.len()];
    let mut open = Vec::new();
    let each = |fork: usize| spec.forks[fork].each;
    let on = |node: usize, verdicts: bool, open: &mut Vec<usize>| {
        for edge in spec.edges_from(Point::Node(node)) {
            let keeps = if edge.kind.leaves_review() { verdicts } else { !writes(node) };
            // Each item of a `for` sets the item field itself, and the fields of an item end with it.
            let resets = matches!(edge.kind, EdgeKind::Fork { fork, .. } if each(fork).is_some_and(|each| each.item == field));
            let ends = edge.joins.is_some_and(|(fork, _)| each(fork).is_some());
            if let (true, Point::Node(to)) = (keeps && !resets && !ends, edge.to) {
                open.push(to);
            }
        }
    };
    match from {
        LanePosition::Before(node) | LanePosition::Forked(Point::Node(node)) => open.push(node),
        LanePosition::At(node) => on(node, false, &mut open),
        LanePosition::Joined | LanePosition::Forked(_) | LanePosition::Ended => {}
    }
    while let Some(node) = open.pop() {
        if std::mem::replace(&mut seen[node], true) {
            continue;
        }
        if spec.nodes[node].interrupt.is_some_and(|interrupt| interrupt.field == field) {
            return Some(spec.nodes[node].name);
        }
        on(node, true, &mut open);
    }
    None
}

/// The changes that the branches of a fork may make, and the transfer functions of the fork.
struct ForkSummary {
    touches: Vec<BitSet>,
    /// The covers that each branch may end or renew.
    ended_covers: Vec<BitSet>,
    whole: ForkProof,
    is_for: bool,
}

struct ResumeCheck<'g> {
    spec: &'g GraphSpec,
    index: FieldIndex,
    /// The transfer functions and requirements of each node, without entry facts.
    nodes: Vec<NodeProof>,
    forks: Vec<ForkSummary>,
    covers: Covers,
    reduced: BitSet,
    outputs: BitSet,
    unmet: BTreeSet<UnmetRequirement>,
}

/// One run of the data-flow analysis, from the position of one lane.
struct Flow {
    /// The facts on entry to each node; `None` for a node that is not reached.
    entry: Vec<Option<Facts>>,
    /// The facts at the end of each branch of the forks ahead.
    ends: Vec<Vec<Facts>>,
    /// The facts that each edge carries; `None` for an edge that is not taken.
    carried: Vec<Option<Facts>>,
    /// The branch that contains the lane's position. `end` has the facts at its end.
    own: Option<(usize, usize)>,
    end: Facts,
    open: Vec<usize>,
}

impl<'g> ResumeCheck<'g> {
    fn new(spec: &'g GraphSpec) -> Self {
        let index = FieldIndex::new(&spec.state);
        let fields = |wanted: fn(&super::FieldSpec) -> bool| {
            let fields = spec.state.fields.iter().enumerate().filter(|(_, field)| wanted(field));
            fields.fold(BitSet::EMPTY, |bits, (number, _)| bits.with(number))
        };
        let reduced = fields(|field| field.reduced);
        let mut nodes: Vec<_> = spec.nodes.iter().map(|node| NodeProof::new(node, &index)).collect();
        let lists = spec.forks.iter().filter_map(|fork| Some((fork.from, fork.each?.list)));
        for (from, field) in spec.routes.iter().map(|route| (route.from, route.field)).chain(lists) {
            // A field that a `match` or `for` lacks is reported once, and counts as written from there on.
            if let (Point::Node(from), Some(field)) = (from, index.find(field)) {
                nodes[from].run_transfer.writes = nodes[from].run_transfer.writes.with(field);
            }
        }
        let covers = Covers::from_spec(spec, &index, &mut nodes);
        let forks = summarize_forks(spec, &index, &nodes, &covers, [reduced, fields(|field| field.appends)]);
        let outputs = fields(|field| field.output);
        Self { spec, forks, nodes, covers, reduced, outputs, index, unmet: BTreeSet::new() }
    }

    fn field_set(&self, fields: &[&str]) -> BitSet {
        fields.iter().filter_map(|field| self.index.find(field)).fold(BitSet::EMPTY, BitSet::with)
    }

    fn covered(&self, lane: &LaneFacts<'_>) -> BitSet {
        let numbers =
            lane.signed.iter().filter_map(|(node, field)| self.covers.find(*node, self.index.find(field)?));
        numbers.fold(BitSet::EMPTY, BitSet::with)
    }

    /// Follows a lane, and the lanes forked from it, to the lane's end; returns the facts there.
    fn lane(&mut self, lanes: &[LaneFacts<'_>], lane: &LaneFacts<'_>) -> Facts {
        let facts = Facts { written: self.field_set(&lane.written), signed: self.covered(lane) };
        if let LanePosition::At(node) = lane.position {
            self.record_missing_signature(lane, node, facts);
        }
        match lane.position {
            LanePosition::Joined => facts,
            // A lane that never comes to the join does not restrict the facts there.
            LanePosition::Ended => Facts::TOP,
            LanePosition::Before(node) | LanePosition::At(node) => self.flow(lane.position, node, facts),
            LanePosition::Forked(join) => {
                let facts = self.joined_lanes(lanes, lane, facts);
                match join {
                    Point::Node(node) => self.flow(LanePosition::Before(node), node, facts),
                    Point::Start | Point::End => {
                        self.record_missing_outputs(self.outputs.minus(facts.written));
                        facts
                    }
                }
            }
        }
    }

    /// Returns the facts at the join of the lanes forked from `lane`, given those before its fork.
    fn joined_lanes(&mut self, lanes: &[LaneFacts<'_>], lane: &LaneFacts<'_>, before: Facts) -> Facts {
        let mut branches = Vec::new();
        for child in lanes.iter().filter(|child| child.parent == Some(lane.id)) {
            let here = self.region(child.position).map(|(fork, branch)| (&self.forks[fork], branch));
            let (will_touch, will_end) = here.map_or((BitSet::EMPTY, BitSet::EMPTY), |(fork, branch)| {
                (fork.touches[branch], fork.ended_covers[branch])
            });
            let touched = self.field_set(&child.touched).or(will_touch);
            // A cover that held before the fork and no longer holds in the child has been spent there.
            let ended_covers =
                self.covers.ended_by(touched).or(will_end).or(before.signed.minus(self.covered(child)));
            branches.push((self.lane(lanes, child), touched, ended_covers));
        }
        if let Some(lists) = &lane.appended_lists {
            let touched = branches.iter().fold(BitSet::EMPTY, |bits, (_, touched, _)| bits.or(*touched));
            let signed = before.signed.minus(self.covers.ended_by(touched.and(self.reduced)));
            return Facts { written: before.written.or(self.field_set(lists)), signed };
        }
        let touches: Vec<BitSet> = branches.iter().map(|(_, touches, _)| *touches).collect();
        let merged = self.covers.ended_by(in_several(&touches).and(self.reduced));
        let met =
            meet_branches(branches.into_iter().map(|(end, _, ended_covers)| (end, ended_covers)), merged);
        Facts { written: met.written.or(before.written), signed: met.signed }
    }

    /// Returns the innermost branch that contains a position.
    fn region(&self, position: LanePosition) -> Option<(usize, usize)> {
        match position {
            LanePosition::Before(node) | LanePosition::At(node) | LanePosition::Forked(Point::Node(node)) => {
                self.spec.enclosing_branches(node).last().copied()
            }
            LanePosition::Joined | LanePosition::Forked(_) | LanePosition::Ended => None,
        }
    }

    /// Propagates facts from a node to the end of its branch or of the graph, and records what the nodes on the way
    /// lack. Returns the facts at the end of the branch.
    fn flow(&mut self, position: LanePosition, node: usize, facts: Facts) -> Facts {
        let mut flow = Flow {
            entry: vec![None; self.nodes.len()],
            ends: self.forks.iter().map(|fork| vec![Facts::TOP; fork.touches.len()]).collect(),
            carried: vec![None; self.spec.edges.len()],
            own: self.region(position),
            end: Facts::TOP,
            open: Vec::new(),
        };
        match position {
            LanePosition::At(_) => {
                self.record_missing(node, facts);
                self.propagate(&mut flow, node, facts, false);
            }
            _ => flow.enter(node, facts),
        }
        while let Some(node) = flow.open.pop() {
            if let Some(facts) = flow.entry[node] {
                self.propagate(&mut flow, node, facts, true);
            }
        }
        for (node, facts) in flow.entry.iter().enumerate() {
            if let Some(facts) = facts {
                self.record_missing(node, *facts);
            }
        }
        for (edge, carried) in self.spec.edges.iter().zip(&flow.carried) {
            if let (Point::End, Some(carried)) = (edge.to, carried)
                && (edge.joins.is_none() || edge.joins != flow.own)
            {
                let joined = edge.joins.map_or(BitSet::EMPTY, |(fork, _)| self.joined(&flow, fork).written);
                self.record_missing_outputs(self.outputs.minus(carried.written).minus(joined));
            }
        }
        flow.end
    }

    /// Propagates the facts at a node along the edges that leave it, including verdict edges if `verdicts` is set:
    /// without it, the review is over.
    fn propagate(&self, flow: &mut Flow, node: usize, facts: Facts, verdicts: bool) {
        for (number, edge) in self.spec.edges.iter().enumerate() {
            if edge.from == Point::Node(node) && (verdicts || !edge.kind.leaves_review()) {
                self.carry(flow, number, edge, self.transfer(node, edge.kind).apply(facts));
            }
        }
    }

    fn transfer(&self, node: usize, kind: EdgeKind) -> Transfer {
        match kind {
            EdgeKind::Fork { fork, .. } => self.forks[fork].whole.enter(&self.nodes[node].run_transfer),
            EdgeKind::Empty { fork } => self.forks[fork].whole.bypass(&self.nodes[node].run_transfer),
            kind => self.nodes[node].transfer(kind),
        }
    }

    fn carry(&self, flow: &mut Flow, number: usize, edge: &EdgeSpec, facts: Facts) {
        flow.carried[number] = Some(flow.carried[number].map_or(facts, |known| known.meet(facts)));
        let facts = match edge.joins {
            Some(_) if edge.joins == flow.own => {
                flow.end = flow.end.meet(facts);
                return;
            }
            Some((fork, branch)) => {
                flow.ends[fork][branch] = flow.ends[fork][branch].meet(facts);
                self.joined(flow, fork)
            }
            None => facts,
        };
        if let Point::Node(to) = edge.to {
            flow.enter(to, facts);
        }
    }

    /// Returns the facts at the join of a fork that lies ahead.
    fn joined(&self, flow: &Flow, fork: usize) -> Facts {
        let branches = &self.forks[fork];
        if branches.is_for {
            // The facts that the items leave are those of the edge past the `for`.
            return Facts::TOP;
        }
        let ends = flow.ends[fork].iter().copied();
        meet_branches(ends.zip(branches.ended_covers.iter().copied()), branches.whole.unsigns)
    }

    /// Records a missing signature of the node's own draft, for a lane at a node whose review is over.
    fn record_missing_signature(&mut self, lane: &LaneFacts<'_>, number: usize, facts: Facts) {
        let node = &self.spec.nodes[number];
        if let Some(interrupt) = &node.interrupt
            && !lane.signed.contains(&(number, interrupt.field))
            && self.index.find(interrupt.field).is_none_or(|field| facts.written.contains(field))
        {
            self.unmet.insert(UnmetRequirement::Unsigned { node: node.name, field: interrupt.field });
        }
    }

    /// Records the requirements of a node that the facts do not meet.
    fn record_missing(&mut self, node: usize, facts: Facts) {
        let proof = self.nodes[node];
        let mut unwritten = proof.verdict_transfer.writes.minus(facts.written);
        let covers = members(proof.verdict_transfer.signs.minus(facts.signed))
            .map(|cover| self.covers.get(cover).field);
        let unsigned = covers.fold(BitSet::EMPTY, BitSet::with).minus(unwritten);
        // Not `run_transfer.writes`: that has the field of the `match` already.
        let written = facts.written.or(proof.verdict_transfer.writes).or(proof.writes);
        let matched = self.spec.routes.iter().filter(|route| route.from == Point::Node(node));
        let list = self.spec.forks.iter().filter(|fork| fork.from == Point::Node(node));
        let operands = matched.map(|route| route.field).chain(list.filter_map(|fork| Some(fork.each?.list)));
        let operands = operands.filter_map(|field| self.index.find(field));
        unwritten = unwritten.or(operands.fold(BitSet::EMPTY, BitSet::with).minus(written));
        let node = self.spec.nodes[node].name;
        let name = |field: usize| self.spec.state.fields[field].name;
        self.unmet
            .extend(members(unwritten).map(|field| UnmetRequirement::Unwritten { node, field: name(field) }));
        self.unmet
            .extend(members(unsigned).map(|field| UnmetRequirement::Unsigned { node, field: name(field) }));
    }

    fn record_missing_outputs(&mut self, missing: BitSet) {
        let name = |field: usize| self.spec.state.fields[field].name;
        self.unmet.extend(members(missing).map(|field| UnmetRequirement::Output { field: name(field) }));
    }
}

impl Flow {
    fn enter(&mut self, node: usize, facts: Facts) {
        let known = self.entry[node].map_or(facts, |known| known.meet(facts));
        if self.entry[node] != Some(known) {
            self.entry[node] = Some(known);
            self.open.push(node);
        }
    }
}

/// Summarizes the forks of a graph as [`prove`](super::prove) does. Changes inside a `for` are hidden from the forks
/// around it, except those of fields with a reducer.
fn summarize_forks(
    spec: &GraphSpec,
    index: &FieldIndex,
    nodes: &[NodeProof],
    covers: &Covers,
    [reduced, appended]: [BitSet; 2],
) -> Vec<ForkSummary> {
    let mut visible: Vec<BitSet> = nodes.iter().map(|node| node.touches).collect();
    let mut spends: Vec<BitSet> = nodes.iter().map(|node| node.verdict_transfer.signs).collect();
    let mut forks = Vec::new();
    for fork in spec.forks.iter().rev() {
        let all = |of: &[BitSet], branch: &BranchSpec| {
            branch.nodes.iter().fold(BitSet::EMPTY, |bits, &node| bits.or(of[node]))
        };
        let touches: Vec<BitSet> = fork.branches.iter().map(|branch| all(&visible, branch)).collect();
        let spent = fork.branches.iter().map(|branch| all(&spends, branch));
        let ended_covers =
            spent.zip(&touches).map(|(spent, touches)| spent.or(covers.ended_by(*touches))).collect();
        let mut whole = ForkProof { merged: in_several(&touches).and(reduced), ..ForkProof::BLANK };
        if let Some(each) = &fork.each {
            let body = fork.body();
            let writes = body.iter().fold(BitSet::EMPTY, |bits, &node| bits.or(nodes[node].writes));
            whole.item = index.find(each.item).map_or(BitSet::EMPTY, |item| BitSet::EMPTY.with(item));
            whole.appended = writes.and(appended);
            whole.merged = touches.iter().fold(BitSet::EMPTY, |bits, &more| bits.or(more)).and(reduced);
            whole.ends_on_entry = BitSet::ALL;
            for &node in body {
                (visible[node], spends[node]) = (visible[node].and(reduced), BitSet::EMPTY);
            }
        }
        whole.unsigns = covers.ended_by(whole.merged);
        forks.push(ForkSummary { touches, ended_covers, whole, is_for: fork.each.is_some() });
    }
    forks.reverse();
    forks
}

/// Returns the facts at the join of branches, each with the covers that it may have ended, as
/// [`Proof::joined`](super::Proof) does.
fn meet_branches(branches: impl Iterator<Item = (Facts, BitSet)>, merged: BitSet) -> Facts {
    let (mut written, mut signed, mut unsigned) = (BitSet::EMPTY, BitSet::EMPTY, merged);
    for (end, ended_covers) in branches {
        written = written.or(end.written);
        signed = signed.or(end.signed);
        unsigned = unsigned.or(ended_covers.minus(end.signed));
    }
    Facts { written, signed: signed.minus(unsigned) }
}

/// Returns the members that more than one of these sets has.
fn in_several(sets: &[BitSet]) -> BitSet {
    let (mut once, mut twice) = (BitSet::EMPTY, BitSet::EMPTY);
    for set in sets {
        twice = twice.or(once.and(*set));
        once = once.or(*set);
    }
    twice
}

fn members(mut bits: BitSet) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let first = bits.first()?;
        bits = bits.minus(BitSet::EMPTY.with(first));
        Some(first)
    })
}
